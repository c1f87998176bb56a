"""Fixtures: PostgreSQL."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import psycopg2
import psycopg2.extensions
import pytest

from s1ctl.site.secrets import Secret
from tests.support.require import POSTGRES_BIN, need

START_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database of its own on a real server; `user` owns it and is no superuser."""

    host: str
    port: int
    name: str
    user: str
    password: str
    admin_password: str

    def dsn(
        self, *, user: str | None = None, password: str | None = None, name: str | None = None
    ) -> Secret:
        who = quote(user or self.user, safe="")
        word = quote(password or self.password, safe="")
        return Secret(f"postgresql://{who}:{word}@{self.host}:{self.port}/{name or self.name}")

    def admin_dsn(self) -> Secret:
        """The same database, as superuser."""
        return self.dsn(user="postgres", password=self.admin_password)

    def connect(
        self, application: str = "test", *, autocommit: bool = False, admin: bool = False
    ) -> psycopg2.extensions.connection:
        dsn = self.admin_dsn() if admin else self.dsn()
        connection = psycopg2.connect(dsn.reveal(), application_name=application)
        connection.autocommit = autocommit
        return connection

    def execute(self, sql: str, *values: object, admin: bool = False) -> list[tuple[object, ...]]:
        """Run one statement in its own transaction; the rows, where it has some."""
        with closing(self.connect(autocommit=True, admin=admin)) as connection:
            cursor = connection.cursor()
            cursor.execute(sql, values or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, sql: str, *values: object) -> object:
        return self.execute(sql, *values)[0][0]


class Server:
    """A PostgreSQL 15 on loopback, in a folder that its user may reach; ended by its own pid."""

    def __init__(self, folder: Path, options: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._options = dict(options or {})
        self.host = "127.0.0.1"
        self.port = _free_port()
        self.admin_password = secrets.token_hex(8)
        self._made = 0
        self._user = "postgres" if os.geteuid() == 0 else None
        self._initialise()
        self.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def make_database(self) -> Database:
        self._made += 1
        name, password = f"test_{self._made}", secrets.token_hex(8)
        with closing(self._connect()) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(f"CREATE ROLE {name} LOGIN PASSWORD %s", (password,))
            cursor.execute(f"CREATE DATABASE {name} OWNER {name}")
        return Database(
            host=self.host, port=self.port, name=name, user=name, password=password,
            admin_password=self.admin_password,
        )  # fmt: skip

    def copy_database(self, template: Database, *, tablespace: str | None = None) -> Database:
        """Copy a database to which nobody is connected, with its owner."""
        self._made += 1
        copy = replace(template, name=f"test_{self._made}")
        place = f" TABLESPACE {tablespace}" if tablespace else ""
        self.execute(
            f"CREATE DATABASE {copy.name} TEMPLATE {template.name} OWNER {copy.user}{place}"
        )
        return copy

    def execute(self, sql: str, *values: object) -> None:
        """Run one statement as superuser, in database `postgres`."""
        with closing(self._connect()) as connection:
            connection.autocommit = True
            connection.cursor().execute(sql, values or None)

    def make_tablespace(self, name: str, folder: Path) -> None:
        """Make a tablespace in an empty folder."""
        folder.chmod(0o700)
        if self._user:
            shutil.chown(folder, self._user, self._user)
        self.execute(f"CREATE TABLESPACE {name} LOCATION %s", str(folder))

    def restart(self) -> None:
        """Stop fast, as an administrator does, and start again."""
        self.stop()
        self.start()

    def drop_database(self, database: Database) -> None:
        with closing(self._connect()) as connection:
            connection.autocommit = True
            connection.cursor().execute(f"DROP DATABASE IF EXISTS {database.name} WITH (FORCE)")

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # fast shutdown
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def _initialise(self) -> None:
        word = self.folder / "password"
        word.write_text(self.admin_password)
        if self._user:
            shutil.chown(self.folder, self._user)
            shutil.chown(word, self._user)
        subprocess.run(
            [
                POSTGRES_BIN / "initdb", "-D", self.folder / "data", "-U", "postgres", "-N",
                "-A", "scram-sha-256", f"--pwfile={word}", "-E", "UTF8", "--locale=C",
            ],
            user=self._user, group=self._user, extra_groups=[] if self._user else None,
            cwd=self.folder, check=True, stdout=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip

    def start(self) -> None:
        """Start it; it ends with the thread that did so."""
        options = {
            "listen_addresses": self.host, "port": self.port, "unix_socket_directories": "",
            "fsync": "off", "max_connections": 60, "logging_collector": "off", "jit": "off",
            "max_prepared_transactions": 5, **self._options,
        }  # fmt: skip
        flags = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                # setpriv execs: the pid is the server's own, and it ends when pytest is killed.
                ["setpriv", "--pdeathsig", "INT", POSTGRES_BIN / "postgres", "-D",
                 self.folder / "data", *flags],
                user=self._user, group=self._user, extra_groups=[] if self._user else None,
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._process = process
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_S
        while True:
            try:
                self._connect().close()
            except psycopg2.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.1)
            else:
                return

    def _connect(self) -> psycopg2.extensions.connection:
        return psycopg2.connect(
            host=self.host, port=self.port, user="postgres", password=self.admin_password,
            dbname="postgres", connect_timeout=10,
        )  # fmt: skip


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A real PostgreSQL server for the whole session."""
    need("postgres")
    folder = Path(tempfile.mkdtemp(prefix="s1ctl-postgres-"))
    try:
        server = Server(folder)
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(postgres_server: Server) -> Iterator[Database]:
    """A fresh database on the session's server, owned by a user of its own."""
    database = postgres_server.make_database()
    yield database
    postgres_server.drop_database(database)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
