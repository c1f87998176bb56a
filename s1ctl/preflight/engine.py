"""The engine of this host: does it answer, is it new enough, is our subnet free."""

import ipaddress
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version

from s1ctl.preflight.check import Check, Values
from s1ctl.preflight.collect import Collector
from s1ctl.preflight.disks import measure
from s1ctl.preflight.finding import Fix, Judgement, Required, failed, passed, worst_of
from s1ctl.preflight.needs import Needs
from s1ctl.site.facts import Fact

if TYPE_CHECKING:
    import socket

TIMEOUT_S = 10
LEAST_API = Version("1.41")
PING_BYTES = 1024
VERSION_FIX = Fix(command="docker version", where="this host", safe=True)


def collectors(socket: str) -> dict[str, Collector]:
    """List what is asked of the engine at `socket`."""
    return {
        "engine.reach": lambda: _reach(socket),
        "engine.info": lambda: _info(socket),
        "engine.networks": lambda: _networks(socket),
        "host.routes": _routes,
    }


def _reach(path: str) -> Fact:
    """Say how the socket answers a ping: the reason is the measurement."""
    import socket

    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT_S)
        try:
            connection.connect(path)
            reason = _ping(connection)
        except FileNotFoundError:
            reason = "missing"
        except PermissionError:
            reason = "denied"
        except TimeoutError:
            reason = f"silent for {TIMEOUT_S} s"
        except OSError as error:
            reason = (error.strerror or "no answer").lower()
    return Fact(value=reason, source=f"{path} /_ping")


def _ping(connection: "socket.socket") -> str:
    """Ask what no other server answers so: engines say their API version to a ping."""
    from http.client import HTTPConnection, HTTPException

    http = HTTPConnection("localhost")
    http.sock = connection
    try:
        http.request("GET", "/_ping")
        with closing(http.getresponse()) as answer:
            said = answer.getheader("Api-Version")
            answer.read(PING_BYTES)
    except HTTPException:
        said = None
    return "answers" if said else "what listens there is no engine"


@contextmanager
def _asking(path: str) -> Iterator[Any]:
    """Make a client that speaks the oldest API that both know. Raises `OSError` for no engine."""
    import docker

    reason = _reach(path).value
    if reason != "answers":
        raise ConnectionError(f"{path}: {reason}")
    with closing(docker.APIClient(f"unix://{path}", str(LEAST_API), TIMEOUT_S)) as client:
        version = client.version(api_version=False)
    if not isinstance(version, dict):
        raise ValueError(f"what answers at {path} is no engine")
    least = _lenient(version.get("MinAPIVersion", "")) or LEAST_API
    with closing(docker.APIClient(f"unix://{path}", str(max(least, LEAST_API)), TIMEOUT_S)) as it:
        yield it


def _info(path: str) -> Fact:
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        with _asking(path) as client:
            version, info = client.version(api_version=False), client.info()
    except (DockerException, RequestException) as error:
        return Fact(error=f"{type(error).__name__}: {error}", source=path)
    root = info.get("DockerRootDir", "")
    value = {
        "version": version.get("Version", ""),
        "api": version.get("ApiVersion", ""),
        "parts": [part.get("Name", "") for part in version.get("Components") or ()],
        "root": root,
        "disk": measure(root) if root and Path(root).exists() else None,
        "driver": info.get("Driver", ""),
        "swarm": info.get("Swarm", {}).get("LocalNodeState", ""),
        "rootless": any("rootless" in o for o in info.get("SecurityOptions") or ()),
    }
    return Fact(value=value, source=f"{path} /version, /info")


def read_clock(path: str) -> str:
    """Ask the engine for its own time, as it writes it. Raises `OSError`, `ValueError`."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        with _asking(path) as client:
            return str(client.info().get("SystemTime", ""))
    except (DockerException, RequestException) as error:
        raise ConnectionError(f"{type(error).__name__}: {error}") from None


def _networks(path: str) -> Fact:
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        with _asking(path) as client:
            networks = client.networks()
    except (DockerException, RequestException) as error:
        return Fact(error=f"{type(error).__name__}: {error}", source=path)
    value = [
        {
            "name": network["Name"],
            "site": (network.get("Labels") or {}).get("dev.s1ctl.site", ""),
            "subnets": [c["Subnet"] for c in network["IPAM"]["Config"] or () if "Subnet" in c],
            "bridge": _bridge(network),
        }
        for network in networks
    ]
    return Fact(value=value, source=f"{path} /networks")


def _bridge(network: dict[str, Any]) -> str:
    options = network.get("Options") or {}
    return str(options.get("com.docker.network.bridge.name", "br-" + network["Id"][:12]))


def _routes() -> Fact:
    """Read the host's IPv4 routes: interface and network of each but the default one."""
    lines = Path("/proc/net/route").read_text("ascii").splitlines()[1:]
    routes = []
    for line in lines:
        interface, destination, *_ = line.split()
        mask = int.from_bytes(bytes.fromhex(line.split()[7]), "little")
        network = int.from_bytes(bytes.fromhex(destination), "little")
        if mask:
            routes.append([interface, str(ipaddress.ip_network((network, mask.bit_count())))])
    return Fact(value=routes, source="/proc/net/route")


def judge_reach(values: Values, needs: Needs) -> Judgement:
    """Judge whether the engine's socket lets us in."""
    reason, socket = values["engine.reach"], needs.site.target.socket
    if reason == "answers":
        return passed(f"{socket} answers")
    command = "systemctl start docker"
    advice = "Start the engine, or correct `target.socket` in the site file."
    if reason == "denied":
        command, advice = f"ls -l {socket}", "Run s1ctl as root, or as a member of that group."
    fix = Fix(command=command, where="this host", safe=True)
    return failed(f"{socket}: {reason}", advice, value=reason, fix=fix)


def judge_version(values: Values, needs: Needs) -> Judgement:
    """Judge the engine by its API version; its own version string is parsed leniently."""
    info: Any = values["engine.info"]
    text = f"Engine {info['version']}, API {info['api']}"
    for name in ("rootless", "swarm"):
        if info[name] is True or info[name] in ("active", "locked"):
            return failed(
                f"{text}: {name} engines are not supported", "Use a plain engine.", fix=VERSION_FIX
            )
    api = _lenient(info["api"])
    is_podman = any("podman" in part.lower() for part in info.get("parts", ()))
    if is_podman or api is None or api < LEAST_API:
        return failed(
            f"{text} ({', '.join(info['parts'])})" if is_podman else text,
            "Install Docker Engine 20.10.10 or newer.",
            required=Required(op=">=", value=str(LEAST_API), source="s1ctl"),
            fix=VERSION_FIX,
        )
    version = _lenient(info["version"])
    if version is not None and not needs.engine.contains(version, prereleases=True):
        return failed(
            text,
            f"Bring the engine to {needs.engine}.",
            required=Required(op="in", value=str(needs.engine), source=needs.source),
            fix=VERSION_FIX,
        )
    return passed(text, value=info["version"])


def judge_networks(values: Values, needs: Needs) -> Judgement:
    """Judge whether the site's subnet is free of every other network and route."""
    ours, site = needs.site.target.subnet, needs.site.name
    networks: Any = values["engine.networks"]
    bridges = {n["bridge"] for n in networks if n["site"] == site}
    taken = [(n["name"], s) for n in networks if n["site"] != site for s in n["subnets"]]
    routes: Any = values["host.routes"]
    taken += [(f"route on {name}", net) for name, net in routes if name not in bridges]
    found = (
        failed(
            f"{ours} overlaps {subnet} ({name})",
            "Choose another `target.network` in the site file.",
            value=subnet,
            required=Required(op="is", value="free", source="site file"),
            fix=Fix(command="docker network ls; ip route", where="this host", safe=True),
        )
        for name, subnet in taken
        if _overlaps(ours, subnet)
    )
    return worst_of(found) or passed(f"{ours} is free or our own")


def _overlaps(ours: ipaddress.IPv4Network, subnet: str) -> bool:
    other = ipaddress.ip_network(subnet, strict=False)
    return isinstance(other, ipaddress.IPv4Network) and ours.overlaps(other)


def _lenient(text: str) -> Version | None:
    """Read as much of a version string as is one; None where nothing is (`library-import`)."""
    candidates: Iterable[str] = (text, text.partition("+")[0], text.partition("-")[0])
    for candidate in candidates:
        try:
            return Version(Version(candidate).base_version)
        except InvalidVersion:
            continue
    return None


CHECKS = (
    Check(
        id="engine.reachable",
        title="the engine answers at its socket",
        why="Everything of the platform runs in it.",
        severity="blocking",
        facts=("engine.reach",),
        judge=judge_reach,
        is_waivable=False,
    ),
    Check(
        id="engine.version",
        title="the engine is one that the release runs on",
        why="Older engines cannot run the images' programs, and other kinds are not tested.",
        severity="blocking",
        facts=("engine.info",),
        judge=judge_version,
        prerequisites=("engine.reachable",),
    ),
    Check(
        id="engine.networks",
        title="the site's subnet is free",
        why="Two networks with the same addresses make some of them unreachable.",
        severity="blocking",
        facts=("engine.networks", "host.routes"),
        judge=judge_networks,
        prerequisites=("engine.reachable",),
    ),
)
