"""The checks of the engine against engines, and against what is none."""

import os
import socket
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest

from s1ctl.preflight import engine
from s1ctl.preflight.finding import Finding
from s1ctl.targets.docker_container import SITE
from tests.support.preflight import PretendedEngine, findings_of, make_needs, make_site, outcomes
from tests.support.require import ENGINE

pytestmark = pytest.mark.integration

NOBODY = 65534
VERSION = {"Version": "27.5.1", "ApiVersion": "1.47", "MinAPIVersion": "1.24"}
INFO = {"DockerRootDir": "/var/lib/docker", "Driver": "overlay2", "SecurityOptions": []}
ANSWERS = {"/_ping": b"OK", "/version": VERSION, "/info": INFO, "/networks": []}


def check(path: Path, network: str = "10.97.0.0/24") -> dict[str, Finding]:
    site = make_site(target={"kind": "docker", "network": network, "socket": str(path)})
    return findings_of(engine.collectors(str(path)), make_needs(site), "engine")


def text_of(finding: Finding) -> str:
    assert finding.observed is not None
    return finding.observed.text


def test_the_engine_of_this_machine_passes(docker_client) -> None:
    found = check(ENGINE, network="10.249.249.0/27")
    assert outcomes(found).pop("engine.storage") in {"pass", "warn"}
    names = ("engine.reachable", "engine.version", "engine.networks")
    assert {found[name].outcome for name in names} == {"pass"}


def test_a_socket_that_is_missing_fails_with_how_to_start_the_engine(tmp_path: Path) -> None:
    found = check(tmp_path / "none.sock")
    assert outcomes(found) == {
        "engine.reachable": "fail", "engine.version": "skip", "engine.storage": "skip",
        "engine.networks": "skip",
    }  # fmt: skip
    assert "missing" in text_of(found["engine.reachable"])
    assert found["engine.reachable"].fix is not None


def test_a_socket_that_this_user_may_not_open_is_denied(short_path: Path) -> None:
    with PretendedEngine(ANSWERS).listening(short_path):
        short_path.chmod(0)
        with as_nobody():
            found = check(short_path)
    assert outcomes(found)["engine.reachable"] == "fail"
    assert "denied" in text_of(found["engine.reachable"])


def test_a_socket_that_nobody_listens_on_any_more_fails(short_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as former:
        former.bind(str(short_path))
    found = check(short_path)
    assert outcomes(found)["engine.reachable"] == "fail"
    assert "refused" in text_of(found["engine.reachable"])


@pytest.mark.parametrize(
    "answers",
    [{"/_ping": b"pong", "/version": {}}, {}, {"/_ping": b"<html>", "/version": b"<html>"},
     {"/_ping": b"no", "/version": []}],
)  # fmt: skip
def test_a_server_that_is_no_engine_fails_and_is_called_so(
    short_path: Path, answers: dict[str, object]
) -> None:
    with PretendedEngine(answers).listening(short_path):
        found = check(short_path)
    assert outcomes(found)["engine.reachable"] == "fail"
    assert "no engine" in text_of(found["engine.reachable"])


def test_what_speaks_no_http_is_no_engine(short_path: Path) -> None:
    with greeting(short_path, b"SSH-2.0-OpenSSH_9.2\r\n"):
        found = check(short_path)
    assert "no engine" in text_of(found["engine.reachable"])


def test_an_engine_that_hangs_fails_and_does_not_hold_the_check(
    short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "TIMEOUT_S", 1)
    with greeting(short_path, b""):
        found = check(short_path)
    assert "silent" in text_of(found["engine.reachable"])


@pytest.mark.parametrize(
    ("version", "info"),
    [
        ({"Components": [{"Name": "Podman Engine"}]}, {}),
        ({"ApiVersion": "1.40", "MinAPIVersion": "1.12"}, {}),
        ({"ApiVersion": ""}, {}),
        ({"Version": "20.10.5"}, {}),
        ({}, {"SecurityOptions": ["name=seccomp", "name=rootless"]}),
        ({}, {"Swarm": {"LocalNodeState": "active"}}),
    ],
)
def test_an_engine_that_is_not_supported_fails(
    short_path: Path, version: dict[str, object], info: dict[str, object]
) -> None:
    answers = {**ANSWERS, "/version": {**VERSION, **version}, "/info": {**INFO, **info}}
    from packaging.specifiers import SpecifierSet

    with PretendedEngine(answers).listening(short_path):
        needs = make_needs(engine=SpecifierSet(">=20.10.10"))
        found = findings_of(engine.collectors(str(short_path)), needs, "engine.version")
    assert outcomes(found) == {"engine.version": "fail"}


def test_a_new_engine_that_refuses_old_clients_is_asked_as_it_wants(short_path: Path) -> None:
    version = {**VERSION, "Version": "29.0.0", "ApiVersion": "1.52", "MinAPIVersion": "1.44"}
    with PretendedEngine({**ANSWERS, "/version": version}, least_api="1.44").listening(short_path):
        found = check(short_path, network="10.249.249.0/27")
    assert set(outcomes(found).values()) == {"pass"}


def test_the_engine_is_only_read(short_path: Path) -> None:
    pretended = PretendedEngine(ANSWERS)
    with pretended.listening(short_path):
        check(short_path)
    assert {method for method, _ in pretended.asked} == {"GET"}


def test_a_network_of_others_on_our_subnet_fails_and_is_named(docker_client) -> None:
    with network("") as (name, subnet):
        found = check(ENGINE, network=subnet)["engine.networks"]
        beside = check(ENGINE, network="10.249.249.0/27")["engine.networks"]
    assert found.outcome == "fail"
    assert name in text_of(found)
    assert beside.outcome == "pass"


def test_the_sites_own_network_is_no_stranger(docker_client) -> None:
    with network("acme") as (_, subnet):
        assert check(ENGINE, network=subnet)["engine.networks"].outcome == "pass"


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A path that every user may go to, and short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="s1-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "engine.sock"


@contextmanager
def as_nobody() -> Iterator[None]:
    """Give up root's rights for the block; another user never had them."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def greeting(path: Path, word: bytes) -> Iterator[None]:
    """Listen at a socket, say `word` to whoever comes, then nothing more."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        kept: list[socket.socket] = []

        def greet() -> None:
            while True:
                try:
                    guest, _ = listener.accept()
                except OSError:
                    return
                kept.append(guest)
                if word:
                    guest.sendall(word)
                    guest.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            for guest in kept:
                guest.close()


@contextmanager
def network(site: str) -> Iterator[tuple[str, str]]:
    """Make a network of our own on a subnet that was free, and remove it."""
    client = docker.APIClient(f"unix://{ENGINE}", timeout=60)
    name = f"s1ctl-test-{uuid.uuid4().hex[:8]}"
    subnet = f"10.{200 + uuid.uuid4().int % 40}.{uuid.uuid4().int % 250}.0/24"
    pool = docker.types.IPAMPool(subnet=subnet)
    labels = {"s1ctl.test": "preflight", **({SITE: site} if site else {})}
    client.create_network(name, ipam=docker.types.IPAMConfig(pool_configs=[pool]), labels=labels)
    try:
        yield name, subnet
    finally:
        client.remove_network(name)
        client.close()
