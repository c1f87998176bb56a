"""Which engines are refused, how foreign faults are translated, how streams are read."""

import inspect
from pathlib import Path
from types import ModuleType

import docker.errors
import pytest
import requests
from urllib3.exceptions import ProtocolError

from s1ctl.errors import InputOutputFailed, UsageError
from s1ctl.targets.docker_engine import check_kind, check_version, connect_engine
from s1ctl.targets.docker_faults import FOREIGN, EngineRefused, translated
from s1ctl.targets.frames import read_frames, read_lines


@pytest.mark.parametrize("socket", ["tcp://10.0.0.1:2375", "ssh://host", "https://host:2376"])
def test_an_engine_on_another_host_is_refused(socket: str) -> None:
    with pytest.raises(UsageError) as caught:
        connect_engine(socket)
    assert caught.value.code == "S1-E04"


def test_a_socket_that_nobody_listens_at_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputOutputFailed, match=str(tmp_path)) as caught:
        connect_engine(str(tmp_path / "absent.sock"))
    assert caught.value.code == "S1-E01"


@pytest.mark.parametrize(
    ("version", "code"),
    [
        ({"ApiVersion": "1.40", "Version": "19.03"}, "S1-E03"),
        ({"ApiVersion": "1.9"}, "S1-E03"),
        ({}, "S1-E03"),
        ({"ApiVersion": "1.41", "Components": [{"Name": "Podman Engine"}]}, "S1-E06"),
    ],
)
def test_an_old_engine_and_podman_are_refused_by_name(
    version: dict[str, object], code: str
) -> None:
    with pytest.raises(InputOutputFailed) as caught:
        check_version(version)
    assert caught.value.code == code


def test_engines_from_api_1_41_on_are_taken() -> None:
    for api in ("1.41", "1.56", "2.0"):
        check_version({"ApiVersion": api, "Version": "library-import", "Components": None})


@pytest.mark.parametrize(
    ("info", "code"),
    [
        ({"SecurityOptions": ["name=seccomp", "name=rootless"]}, "S1-E05"),
        ({"Swarm": {"LocalNodeState": "active"}}, "S1-E07"),
        ({"Swarm": {"LocalNodeState": "pending"}}, "S1-E07"),
    ],
)
def test_a_rootless_engine_and_a_swarm_are_refused_by_name(
    info: dict[str, object], code: str
) -> None:
    with pytest.raises(InputOutputFailed) as caught:
        check_kind(info)
    assert caught.value.code == code


def test_an_ordinary_engine_is_taken() -> None:
    check_kind({"SecurityOptions": ["name=seccomp"], "Swarm": {"LocalNodeState": "inactive"}})
    check_kind({})


def exceptions_of(module: ModuleType) -> list[type[Exception]]:
    return [
        found
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, Exception)
        and not issubclass(found, Warning)
        and found.__module__.split(".")[0] == module.__name__.split(".")[0]
    ]


@pytest.mark.parametrize("kind", exceptions_of(requests.exceptions))
def test_every_exception_of_the_transport_is_translated(kind: type[Exception]) -> None:
    assert issubclass(kind, FOREIGN)


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in exceptions_of(docker.errors)
        # Raised by the SDK's reader of streams only, and `read_lines` is used in its place.
        if kind is not docker.errors.StreamParseError
    ],
)
def test_every_exception_of_the_sdk_is_translated(kind: type[Exception]) -> None:
    assert issubclass(kind, FOREIGN)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (requests.exceptions.ReadTimeout(), "S1-E10"),
        (requests.exceptions.ConnectTimeout(), "S1-E10"),
        (requests.exceptions.ConnectionError("gone"), "S1-E13"),
        (docker.errors.DockerException("odd"), "S1-E13"),
        (BrokenPipeError(32, "broken"), "S1-E13"),
    ],
)
def test_a_fault_is_told_with_what_was_asked(error: Exception, code: str) -> None:
    with (
        pytest.raises(InputOutputFailed, match="start container `x`") as caught,
        translated("start container", "x"),
    ):
        raise error
    assert caught.value.code == code


def test_a_refusal_is_told_with_the_engines_reason() -> None:
    with pytest.raises(EngineRefused, match="no such image") as caught, translated("create", "x"):
        raise docker.errors.APIError("409", explanation="no such image")
    assert caught.value.code == "S1-E11"


def frame(stream: int, raw: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(raw).to_bytes(4, "big") + raw


@pytest.mark.parametrize("size", [1, 3, 8, 1000])
def test_frames_are_read_however_the_bytes_come(size: int) -> None:
    raw = frame(1, b"abcdef") + frame(2, b"error") + frame(1, b"") + frame(1, b"g")
    found = list(read_frames(raw[i : i + size] for i in range(0, len(raw), size)))
    assert b"".join(part for stream, part in found if stream == 1) == b"abcdefg"
    assert b"".join(part for stream, part in found if stream == 2) == b"error"


@pytest.mark.parametrize("cut", [1, 7, 9])
def test_a_stream_that_is_cut_off_is_an_error(cut: int) -> None:
    with pytest.raises(InputOutputFailed) as caught:
        list(read_frames([frame(1, b"abc")[:cut]]))
    assert caught.value.code == "S1-E13"


def test_lines_of_a_pull_are_read_however_the_bytes_come() -> None:
    assert list(read_lines([b'{"a":', b'1}\n\n{"b"', b":2}"])) == [{"a": 1}, {"b": 2}]
    with pytest.raises(InputOutputFailed):
        list(read_lines([b"[1]\n"]))
    with pytest.raises(InputOutputFailed):
        list(read_lines([b"<html>"]))


def test_what_the_system_said_is_told_without_its_wrapping() -> None:
    cause = ConnectionRefusedError(111, "Connection refused")
    wrapped = requests.ConnectionError(ProtocolError("Connection aborted.", cause))
    with pytest.raises(InputOutputFailed) as caught, translated("inspect container", "x"):
        raise wrapped
    assert caught.value.message.endswith("inspect container `x`: connection refused")
    assert caught.value.code == "S1-E13"
