"""The private registry: does it answer, is it trusted here and by the engine, may we push."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s1ctl.errors import S1Error
from s1ctl.preflight.check import Check, Values
from s1ctl.preflight.collect import Collector
from s1ctl.preflight.finding import Fix, Judgement, failed, passed, skipped
from s1ctl.preflight.needs import Needs
from s1ctl.site.config import RegistryAccess
from s1ctl.site.facts import Fact

if TYPE_CHECKING:
    from s1ctl.oci.registry import Registry

ENGINE_STORE = Path("/etc/docker/certs.d")
TLS_CODES = ("S1-R03", "S1-R04", "S1-R08", "S1-R17")
AUTH_CODES = ("S1-R06", "S1-R07")
STAGED = "staged: every image is in the engine already"


def collectors(
    access: RegistryAccess, registry: "Callable[[], Registry]", store: Path = ENGINE_STORE
) -> dict[str, Collector]:
    """List what is asked of the registry, and of the engine's store of certificates."""
    return {
        "registry.ping": lambda: _ping(access, registry),
        "registry.engine-ca": lambda: _engine_ca(access, store),
    }


def _ping(access: RegistryAccess, registry: "Callable[[], Registry]") -> Fact:
    """Ask `/v2/`; a refusal is a measurement too, with its code."""
    try:
        value = {"code": None, "text": f"lets us in by `{registry().ping()}`"}
    except S1Error as error:
        value = {"code": error.code, "text": error.message, "hint": error.hint}
    return Fact(value=value, source=f"{access.url} /v2/")


def _engine_ca(access: RegistryAccess, store: Path) -> Fact:
    path = store / access.host / "ca.crt"
    state = "missing"
    if path.exists() and access.ca:
        is_same = path.read_bytes().strip() == Path(access.ca).read_bytes().strip()
        state = "same" if is_same else "other"
    return Fact(value={"state": state, "path": str(path)}, source=str(path))


def judge_api(values: Values, needs: Needs) -> Judgement:
    """Judge whether a registry answers at all."""
    return _judge_ping(values, needs, lambda code: code not in (*TLS_CODES, *AUTH_CODES))


def judge_tls(values: Values, needs: Needs) -> Judgement:
    """Judge whether this tool and the engine both trust the registry's certificate."""
    judgement = _judge_ping(values, needs, lambda code: code in TLS_CODES)
    access = needs.site.registry
    if judgement.outcome != "pass" or not access.url.startswith("https:"):
        return judgement
    engine: Any = values["registry.engine-ca"]
    if access.ca is None or engine["state"] == "same" or _is_loopback(access.host):
        return passed("trusted by s1ctl and by the engine")
    command = f"install -D -m 0644 {access.ca} {engine['path']}"
    return failed(
        f"the engine's `{engine['path']}` is {engine['state']}",
        "The engine has a store of certificates of its own; put the registry's CA there:",
        fix=Fix(command=command, where="this host, as root", safe=True),
    )


def judge_auth(values: Values, needs: Needs) -> Judgement:
    """Judge whether the registry takes our user and password."""
    return _judge_ping(values, needs, lambda code: code in AUTH_CODES)


def _judge_ping(values: Values, needs: Needs, is_mine: Callable[[str], bool]) -> Judgement:
    if needs.is_staged:
        return skipped(STAGED)
    ping: Any = values["registry.ping"]
    if ping["code"] is None:
        return passed(ping["text"])
    if is_mine(ping["code"]):
        code = ping["code"]
        fix = Fix(command=f"s1ctl explain {code}", where="this host", safe=True)
        return failed(f"{code}: {ping['text']}", ping["hint"], value=code, fix=fix)
    return passed("nothing against it was seen")


def _is_loopback(host: str) -> bool:
    """Engines trust registries of 127.0.0.0/8 as they are."""
    name = host.rsplit(":", 1)[0]
    return name == "localhost" or name.startswith("127.")


CHECKS = (
    Check(
        id="reg.api",
        title="the private registry answers",
        why="Images come from it, and nowhere else.",
        severity="blocking",
        facts=("registry.ping",),
        judge=judge_api,
    ),
    Check(
        id="reg.tls",
        title="s1ctl and the engine trust the registry's certificate",
        why="Each has a store of its own; a pull fails where the engine's lacks the authority.",
        severity="blocking",
        facts=("registry.ping", "registry.engine-ca"),
        judge=judge_tls,
        prerequisites=("reg.api",),
    ),
    Check(
        id="reg.auth",
        title="the registry takes our user and password",
        why="Without it nothing can be loaded or pulled.",
        severity="blocking",
        facts=("registry.ping",),
        judge=judge_auth,
        prerequisites=("reg.api", "reg.tls"),
    ),
)
