"""The database: connections that yield to other requests while they wait."""

import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, TypeVar

import gevent
import psycopg2
import psycopg2.extensions
from gevent.socket import wait_read, wait_write
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from console.config import Config
from console.release import VERSION

Result = TypeVar("Result")

CONNECTIONS = 10
CONNECT_S = 3
POOL_S = 10
PAUSE_S = 0.2
STATEMENT_MS = 10_000


class Database:
    """A pool of connections to the database of `config`; nothing is connected before it is used."""

    def __init__(self, config: Config) -> None:
        self._config = config
        psycopg2.extensions.set_wait_callback(_wait)
        self._engine = create_engine(
            "postgresql+psycopg2://",
            creator=self._connect,
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=POOL_S,
            pool_pre_ping=True,
            pool_use_lifo=True,
        )
        self._is_full = False

    def run(self, work: Callable[[Session], Result]) -> Result:
        """Run `work` in a transaction; once more if its connection was lost.

        So `work` must be harmless when repeated, also after a commit whose answer got lost.
        """
        try:
            return self._run(work)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return self._run(work)

    def fill(self) -> None:
        """Have every connection open before clients come, who would all wait for their first one.

        What was opened stays open when a deadline ends this.
        """
        if self._is_full:
            return
        with ExitStack() as connections:
            for _ in range(CONNECTIONS):
                connections.enter_context(self._engine.connect())
        self._is_full = True

    def _run(self, work: Callable[[Session], Result]) -> Result:
        with Session(self._engine) as session, session.begin():
            return work(session)

    def _connect(self) -> Any:
        try:
            return self._connect_once()
        except psycopg2.OperationalError:
            gevent.sleep(PAUSE_S)
            return self._connect_once()

    def _connect_once(self) -> Any:
        config = self._config
        with gevent.Timeout(CONNECT_S, psycopg2.OperationalError(f"no answer in {CONNECT_S} s")):
            return psycopg2.connect(
                host=config.database_host,
                hostaddr=self._address(),
                port=config.database_port,
                dbname=config.database_name,
                user=config.database_user,
                password=config.password(),
                application_name=f"console {VERSION}",
                options=f"-c statement_timeout={STATEMENT_MS}",
            )

    def _address(self) -> str:
        """Resolve the host here: libpq would block every request meanwhile."""
        try:
            found = socket.getaddrinfo(
                self._config.database_host, self._config.database_port, type=socket.SOCK_STREAM
            )
        except OSError as error:
            raise psycopg2.OperationalError(str(error)) from error
        return str(found[0][4][0])


def _wait(connection: Any) -> None:
    while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
        if state == psycopg2.extensions.POLL_READ:
            wait_read(connection.fileno())
        else:
            wait_write(connection.fileno())
