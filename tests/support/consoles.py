"""Fixtures: console of atlas, each release as its image has it, on a real PostgreSQL."""

import http.client
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from packaging.version import Version

from s1ctl.bundle.revisions import read_lineage
from tests.support.lineages import Lineage
from tests.support.postgres import Database

ROOT = Path(__file__).parents[2]
ATLAS = ROOT / "bundles" / "atlas"
LINEAGE = ROOT / "migrations" / "atlas" / "console"
WAIT_S = 60
EVENTS = "/api/v1/events"


def atlas_lineage(version: str) -> Lineage:
    """The lineage that a release of atlas carries."""
    migrations = read_lineage(LINEAGE, Version(version))
    return Lineage(
        tuple(each.revision for each in migrations),
        {each.revision.digest: each.raw for each in migrations},
    )


class Console:
    """A console process and what it answers."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process, self.port, self.log = process, port, log

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        with closing(connection):
            headers = {"Content-Type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def add(self, level: int = 5, text: str = "hello", **more: object) -> Any:
        status, document = self.ask("POST", EVENTS, {"level": level, "text": text, **more})
        assert status == 201, document
        return document

    def wait_until(self, path: str, status: int) -> Any:
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            with suppress(OSError):
                answered, document = self.ask("GET", path)
                if answered == status:
                    return document
            time.sleep(0.05)
        raise AssertionError(f"{path} was never {status}: {self.log.read_text()}")


Start = Callable[..., Console]


@pytest.fixture
def start(postgres: Database, tmp_path: Path) -> Iterator[Start]:
    running: list[Console] = []

    def start_console(version: str) -> Console:
        folder = tmp_path / f"{version}-{len(running)}"
        lay_out(version, folder / "console")
        running.append(run(folder, postgres))
        running[-1].wait_until("/health/live", 200)
        return running[-1]

    yield start_console
    for console in running:
        console.process.kill()
        console.process.wait(10)


def lay_out(version: str, folder: Path) -> None:
    """As `console_files` of bundles/atlas/images/build.py does."""
    folder.mkdir(parents=True)
    sources = ATLAS / "console"
    for path in [*(sources / "console").glob("*.py"), sources / version / "release.py"]:
        (folder / path.name).write_bytes(path.read_bytes())


def run(folder: Path, database: Database) -> Console:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "console"],
            cwd=folder,
            env=environment_of(folder, database, LISTEN_PORT=str(port)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return Console(process, port, log)


def environment_of(folder: Path, database: Database, **more: str) -> dict[str, str]:
    password = folder / "password"
    password.write_text(database.password)
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(folder),
        "LISTEN_ADDRESS": "127.0.0.1",
        "DATABASE_HOST": database.host,
        "DATABASE_PORT": str(database.port),
        "DATABASE_NAME": database.name,
        "DATABASE_USER": database.user,
        "DATABASE_PASSWORD_FILE": str(password),
        **more,
    }


def migrate(database: Database, revisions: tuple[str, ...], way: str = "upgrade") -> None:
    """Run revisions' own code and nothing of s1ctl's: quick, and no record is kept."""
    engine = sa.create_engine("postgresql+psycopg2://", creator=database.connect)
    try:
        for name in revisions:
            spec = importlib.util.spec_from_file_location(name, LINEAGE / f"{name}.py")
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            is_transactional = getattr(module, "transactional", True)
            level = "READ COMMITTED" if is_transactional else "AUTOCOMMIT"
            with engine.connect().execution_options(isolation_level=level) as connection:
                with Operations.context(MigrationContext.configure(connection)):
                    getattr(module, way)()
                connection.commit()
    finally:
        engine.dispose()
