"""`--verbose` tells each request: whom, what, the answer's number; never a query or a header."""

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from s1ctl.cli.requests import told
from s1ctl.errors import S1Error
from s1ctl.oci.registry import Registry
from s1ctl.targets.docker_engine import connect_engine
from tests.support.answers import AnswerServer, Asked, Told
from tests.support.preflight import PretendedEngine

ANSWERS = {"/version": {"Version": "27.5.1", "ApiVersion": "1.47", "MinAPIVersion": "1.24"}}


@pytest.fixture
def short_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "engine.sock"


def test_a_request_to_a_registry_is_told_without_its_query() -> None:
    lines: list[str] = []
    version = {"Docker-Distribution-API-Version": "registry/2.0"}

    def answer(asked: Asked) -> Told:
        return Told(status=201 if asked.method == "POST" else 200, headers=version, body=b"{}")

    with AnswerServer(answer) as server, told(lines.append):
        registry = Registry(server.url)
        registry.ping()
        registry.mount_blob("to/here", f"sha256:{'a' * 64}", "from/there")
    assert lines[0] == f"  request: GET {server.url}/v2/ -> 200"
    assert lines[1] == f"  request: POST {server.url}/v2/to/here/blobs/uploads/ -> 201"


def test_a_request_to_the_engine_is_told_as_that(short_path: Path) -> None:
    lines: list[str] = []
    engine = PretendedEngine({"/_ping": b"OK", "/info": {"ID": "one"}, **ANSWERS})
    with engine.listening(short_path), told(lines.append), suppress(S1Error):
        connect_engine(str(short_path)).close()
    assert lines
    assert all(line.startswith("  request: GET engine /") for line in lines)


def test_nothing_is_told_after_the_block() -> None:
    lines: list[str] = []
    with AnswerServer(lambda _: Told(body=b"{}")) as server:
        with told(lines.append):
            pass
        Registry(server.url).ping()
    assert lines == []
