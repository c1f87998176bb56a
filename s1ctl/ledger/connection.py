"""The ledger's file: short transactions, and SQLite's failures in the operator's words."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from s1ctl.errors import InputOutputFailed

Words = tuple[str, str, str]
BUSY_TIMEOUT_MS = 10_000
LEAST_BYTES = 64 << 10  # what SQLite needs beside a ledger to work at all


class Database:
    """Sessions on the ledger's file; each is one transaction and ends before its block does.

    With a `copy` they are on that, and read only; `fault` is why the file cannot be written.
    """

    def __init__(
        self, path: Path, *, fault: InputOutputFailed | None = None, copy: bytes | None = None
    ) -> None:
        self._path = path
        self.fault = fault
        self._is_copy = copy is not None
        self._engine = make_engine(path) if copy is None else make_copy_engine(copy)
        self._writing = self._engine.execution_options(immediate=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Read one state of the ledger. Raises `InputOutputFailed` S1-I2x."""
        with translated(self._path), Session(self._engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Write all or nothing; durable when the block ends. Raises `InputOutputFailed` S1-I2x.

        The write lock is taken at the begin, so what was read still holds when it is written.
        """
        if self.fault is not None:
            raise self.fault
        assert not self._is_copy, "whoever only looks writes nothing"
        with translated(self._path), Session(self._writing) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def make_engine(path: Path) -> Engine:
    """Make an engine whose transactions begin where SQLAlchemy says, DDL included."""
    engine = create_engine(URL.create("sqlite", database=str(path)))
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def make_copy_engine(copy: bytes) -> Engine:
    """Make an engine on copies in memory, one for each connection."""

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        if copy:
            connection.deserialize(copy)
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _begin(connection: Connection) -> None:
    is_immediate = connection.get_execution_options().get("immediate")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_immediate else "BEGIN")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn failures of SQLAlchemy and SQLite into `InputOutputFailed`."""
    try:
        yield
    except DBAPIError as error:
        raise _failure(path, error.orig) from None
    except sqlite3.Error as error:
        raise _failure(path, error) from None


def check_writable(path: Path) -> None:
    """Raise `InputOutputFailed` S1-I22 where owner, mode or mount forbid to write to the file."""
    if not os.access(path, os.W_OK):
        raise _failure(path, sqlite3.OperationalError("no right to write to it"), _READ_ONLY)


def _failure(
    path: Path, error: BaseException | None, known: Words | None = None
) -> InputOutputFailed:
    number = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    words, why = known or _FAILURES.get(number, _OTHER), str(error)
    if known or number in _DISK:
        words, why = _disk_failure(path.parent) or (words, why)
    code, what, hint = words
    return InputOutputFailed(
        f"the ledger `{path}` {what}: {why}", code=code, hint=hint.format(folder=path.parent)
    )


def _disk_failure(folder: Path) -> tuple[Words, str] | None:
    """Ask the file system for what SQLite has one word for; it writes even to read."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    if found.f_flag & os.ST_RDONLY:
        return _READ_ONLY, "its file system is mounted read-only"
    blocks = found.f_bavail if os.geteuid() else found.f_bfree
    if blocks * found.f_frsize < LEAST_BYTES or (found.f_files and not found.f_ffree):
        return _FULL, "its disk is full"
    return None


_FULL = ("S1-I21", "cannot be written", "make room: `df -h {folder}`")
_READ_ONLY = ("S1-I22", "may not be written", "check owner and mount: `ls -ld {folder}`")
_DAMAGED = (
    "S1-I23",
    "is damaged",
    "restore `ledger.db` from the host's backup, or the newest `{folder}/ledger.db.before-*`",
)
_BUSY = ("S1-I24", "is in use by another process", "wait, then repeat; `s1ctl lock show` says who")
_OTHER = ("S1-I25", "cannot be used", "check the disk under `{folder}`, then repeat")
_DISK = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
_FAILURES = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_AUTH: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _READ_ONLY,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_ERROR: _DAMAGED,  # no such table or column
    sqlite3.SQLITE_CONSTRAINT: _DAMAGED,
    sqlite3.SQLITE_MISMATCH: _DAMAGED,
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
}
