"""The Docker Engine of this host: every call has a deadline, every fault is translated."""

import socket as sockets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import docker
import requests
from docker.auth import encode_header
from docker.errors import APIError, ImageNotFound, NotFound

from s1ctl.errors import InputOutputFailed, UsageError
from s1ctl.progress import Notify, Progress
from s1ctl.targets.docker_faults import EngineRefused, failed, translated
from s1ctl.targets.frames import read_frames, read_lines

API = (1, 41)
CALL_TIMEOUT_S = 60
PULL_SILENCE_S = 600
CHUNK_BYTES = 1 << 16
State = dict[str, Any]


class _Client(docker.APIClient):
    """The SDK's client, but with a deadline also where the SDK asks for none."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        if options.get("timeout") is None:
            options["timeout"] = self.timeout
        return super().send(request, **options)


def connect_engine(socket: str) -> "Engine":
    """Connect to the engine at the local `socket`, and refuse what is not supported.

    Raises `UsageError` S1-E04 for a socket elsewhere, `InputOutputFailed` S1-E01 to S1-E07.
    """
    if "://" in socket and not socket.startswith("unix:///"):
        raise UsageError(
            f"the engine `{socket}` is not this host's",
            code="S1-E04",
            hint="run s1ctl on the engine's own host, and name its socket",
        )
    path = socket.removeprefix("unix://")
    _check_socket(path)
    with translated("say its version", path), closing(_client(path, _text(API))) as client:
        version = client.version(api_version=False)
    check_version(version)
    engine = Engine(path, _text(max(API, _number(version.get("MinAPIVersion", "")))))
    check_kind(engine.info())
    return engine


def check_version(version: Mapping[str, Any]) -> None:
    """Judge what the engine says of its version. Raises `InputOutputFailed` S1-E03, S1-E06."""
    names = [part.get("Name", "") for part in version.get("Components") or ()]
    if any("podman" in name.lower() for name in names):
        raise _refused("is Podman", "S1-E06", "install Docker Engine 20.10.10 or newer")
    if _number(version.get("ApiVersion", "0")) < API:
        raise _refused(
            f"speaks API {version.get('ApiVersion')} only, and 1.41 is the least",
            "S1-E03",
            "install Docker Engine 20.10.10 or newer",
        )


def check_kind(info: Mapping[str, Any]) -> None:
    """Judge what the engine says of itself. Raises `InputOutputFailed` S1-E05, S1-E07."""
    if any("name=rootless" in option for option in info.get("SecurityOptions") or ()):
        raise _refused("is rootless", "S1-E05", "name the socket of the engine that runs as root")
    if (info.get("Swarm") or {}).get("LocalNodeState", "inactive") not in ("", "inactive"):
        raise _refused("is part of a Swarm", "S1-E07", "run `docker swarm leave`")


class Engine:
    """What s1ctl asks of an engine. Names are containers', networks', volumes' names."""

    def __init__(self, socket: str, api_version: str) -> None:
        self.socket = socket
        self._version = api_version
        self._api = _client(socket, api_version)

    def close(self) -> None:
        """Close the connections that are kept."""
        self._api.close()

    def info(self) -> State:
        """Say what the engine says of itself."""
        with translated("describe itself", self.socket):
            return dict(self._api.info())

    def version(self) -> State:
        """Say the engine's versions."""
        with translated("say its version", self.socket):
            return dict(self._api.version())

    def container(self, name: str) -> State | None:
        """Inspect a container; None where there is none."""
        with translated("inspect container", name):
            try:
                return dict(self._api.inspect_container(name))
            except NotFound:
                return None

    def containers(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Name the containers with these labels, running or not, sorted."""
        with translated("list", "containers"):
            found = self._api.containers(all=True, filters={"label": _filters(labels)})
        return tuple(sorted(each["Names"][0].lstrip("/") for each in found if each["Names"]))

    def create(self, name: str, config: State) -> None:
        """Create a container from an API document."""
        with translated("create container", name):
            try:
                self._api.create_container_from_config(config, name)
            except ImageNotFound:
                raise EngineRefused(
                    f"the engine has no image `{config['Image']}` any more",
                    code="S1-E19",
                    hint="run the same command again: its stage pulls what is missing",
                ) from None

    def start(self, name: str) -> None:
        """Start a container; nothing happens when it runs."""
        with translated("start container", name):
            self._api.start(name)

    def stop(self, name: str, *, grace_s: int) -> None:
        """Send the container its stop signal, wait `grace_s`, then kill it; gone is fine."""
        with translated("stop container", name):
            try:
                self._api.stop(name, timeout=grace_s)
            except NotFound:
                return

    def signal(self, name: str, signal: str) -> None:
        """Send a signal to the container's main process."""
        with translated(f"send {signal} to container", name):
            self._api.kill(name, signal)

    def set_restart(self, name: str, policy: str) -> None:
        """Change a container's restart policy."""
        with translated("update container", name):
            self._api.update_container(name, restart_policy={"Name": policy})

    def remove(self, name: str) -> None:
        """Kill and remove a container with its unnamed volumes; gone is fine."""
        with translated("remove container", name):
            try:
                self._api.remove_container(name, v=True, force=True)
            except NotFound:
                return

    def rename(self, name: str, to: str) -> None:
        """Give a container another name."""
        with translated("rename container", name):
            self._api.rename(name, to)

    def processes(self, name: str) -> dict[int, int]:
        """Say the container's processes: each with its parent. Empty where it does not run."""
        with translated("list the processes of container", name):
            try:
                found = self._api.top(name)
            except APIError as error:
                if error.status_code in (404, 409):
                    return {}
                raise
        pid, parent = found["Titles"].index("PID"), found["Titles"].index("PPID")
        return {int(row[pid]): int(row[parent]) for row in found["Processes"] or ()}

    def tail(
        self, name: str, *, lines: int, since: int | None = None, has_times: bool = False
    ) -> str:
        """Say the last lines of a container's output, `since` a Unix time; nothing if none is."""
        with translated("read the log of container", name):
            try:
                raw = self._api.logs(name, tail=lines, since=since, timestamps=has_times)
            except APIError:
                return ""
        return bytes(raw).decode("utf-8", "replace").strip()

    def wait(self, name: str, *, timeout_s: float) -> int:
        """Wait for a container's end and say its exit status."""
        with translated("wait for container", name):
            return int(self._api.wait(name, timeout=timeout_s)["StatusCode"])

    def attach(self, name: str, *, silence_s: float) -> Iterator[tuple[int, bytes]]:
        """Attach to a container before its start: (1, stdout) and (2, stderr) as they come."""
        wanted = {"stream": 1, "stdout": 1, "stderr": 1}
        path = f"/containers/{name}/attach"
        chunks = self._post("attach to container", name, path, wanted, timeout_s=silence_s)
        return read_frames(chunks)

    def network(self, name: str) -> State | None:
        """Inspect a network; None where there is none."""
        with translated("inspect network", name):
            found = self._api.networks(names=[f"^{name}$"])
            return next((dict(each) for each in found if each["Name"] == name), None)

    def create_network(self, name: str, **options: Any) -> None:
        """Create a bridge network."""
        with translated("create network", name):
            self._api.create_network(name, driver="bridge", check_duplicate=True, **options)

    def remove_network(self, name: str) -> None:
        """Remove a network; gone is fine."""
        with translated("remove network", name):
            try:
                self._api.remove_network(name)
            except NotFound:
                return

    def join(
        self, network: str, container: str, *, aliases: Sequence[str], address: str | None = None
    ) -> None:
        """Connect a container to a further network, where it is known by `aliases`."""
        with translated(f"join network `{network}` with container", container):
            self._api.connect_container_to_network(
                container, network, aliases=list(aliases), ipv4_address=address
            )

    def leave(self, network: str, container: str) -> None:
        """Disconnect a container from a network."""
        with translated(f"leave network `{network}` with container", container):
            self._api.disconnect_container_from_network(container, network, force=True)

    def volume(self, name: str) -> State | None:
        """Inspect a volume; None where there is none."""
        with translated("inspect volume", name):
            try:
                return dict(self._api.inspect_volume(name))
            except NotFound:
                return None

    def volumes(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Name the volumes with these labels, sorted."""
        with translated("list", "volumes"):
            found = self._api.volumes(filters={"label": _filters(labels)})
        return tuple(sorted(each["Name"] for each in found["Volumes"] or ()))

    def create_volume(self, name: str, labels: Mapping[str, str]) -> State:
        """Create a volume, or find the one that has the name: its labels are the first maker's."""
        with translated("create volume", name):
            return dict(self._api.create_volume(name, labels=dict(labels)))

    def remove_volume(self, name: str) -> None:
        """Remove a volume; gone is fine."""
        with translated("remove volume", name):
            try:
                self._api.remove_volume(name)
            except NotFound:
                return

    def digests(self, reference: str) -> tuple[str, ...] | None:
        """Say by which digest references an image is known; None where it is not there."""
        with translated("inspect image", reference):
            try:
                return tuple(self._api.inspect_image(reference)["RepoDigests"] or ())
            except ImageNotFound:
                return None

    def image_bytes(self, reference: str) -> int | None:
        """Say how large an image is, shared layers included; None where it is not there."""
        with translated("inspect image", reference):
            try:
                return int(self._api.inspect_image(reference)["Size"])
            except ImageNotFound:
                return None

    def remove_image(self, reference: str) -> None:
        """Take a name from an image, which goes with its last one; gone is fine.

        Raises `EngineRefused` S1-E11 while a container uses it.
        """
        with translated("remove image", reference):
            try:
                self._api.remove_image(reference)
            except ImageNotFound:
                return

    def pull(self, reference: str, auth: Mapping[str, str], notify: Notify) -> None:
        """Pull an image by its digest reference; `auth` counts for this pull only."""
        repository, _, digest = reference.partition("@")
        chunks = self._post(
            "pull",
            reference,
            "/images/create",
            {"fromImage": repository, "tag": digest},
            headers={"X-Registry-Auth": encode_header(dict(auth)).decode()},
            timeout_s=PULL_SILENCE_S,
        )
        for line in read_lines(chunks):
            if "error" in line:
                raise failed("pull", reference, str(line["error"]), "S1-E14")
            detail = line.get("progressDetail") or {}
            done, total = detail.get("current", 0), detail.get("total", 0)
            label = f"{reference} {line.get('status', '')}"
            notify(Progress(label=label, done=done, total=total))

    def _post(
        self,
        what: str,
        name: str,
        path: str,
        params: Mapping[str, object],
        *,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[bytes]:
        """Ask for a stream; the request is made before this returns."""
        client = _client(self.socket, self._version, timeout_s=timeout_s)
        with translated(what, name):
            url = f"{client.base_url}/v{self._version}{path}"
            response = client.post(url, params=params, headers=headers, stream=True)
        if response.ok:
            return _chunks(what, name, client, response)
        with translated(what, name), closing(client), closing(response):
            raise failed(what, name, response.text.strip(), "S1-E11", EngineRefused)


def _chunks(what: str, name: str, client: _Client, response: requests.Response) -> Iterator[bytes]:
    with translated(what, name), closing(client), closing(response):
        yield from response.iter_content(CHUNK_BYTES)


def _client(path: str, version: str, *, timeout_s: float = CALL_TIMEOUT_S) -> Any:
    """Make a client; the SDK's types lack several of the calls used here."""
    return _Client(base_url=f"unix://{path}", version=version, timeout=int(timeout_s))


def _check_socket(path: str) -> None:
    try:
        with sockets.socket(sockets.AF_UNIX) as probe:
            probe.settimeout(CALL_TIMEOUT_S)
            probe.connect(path)
    except PermissionError:
        raise InputOutputFailed(
            f"the engine's socket `{path}` may not be opened by this user",
            code="S1-E02",
            hint="run s1ctl as root, or as a member of the group that owns the socket",
        ) from None
    except OSError as error:
        raise InputOutputFailed(
            f"no engine answers at `{path}`: {error.strerror or error}",
            code="S1-E01",
            hint="run `systemctl status docker`, or name another `target.socket` in the site file",
        ) from None


def _text(number: tuple[int, int]) -> str:
    return f"{number[0]}.{number[1]}"


def _number(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)


def _filters(labels: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in labels.items()]


def _refused(what: str, code: str, hint: str) -> InputOutputFailed:
    return InputOutputFailed(f"the engine {what}", code=code, hint=hint)
