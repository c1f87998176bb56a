"""Bring the ledger's schema up to date; its number is `PRAGMA user_version`."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s1ctl.data import data_folder
from s1ctl.errors import InputOutputFailed
from s1ctl.files import sync_folder
from s1ctl.ledger.connection import BUSY_TIMEOUT_MS, make_copy_engine, make_engine, translated
from s1ctl.ledger.snapshot import read_snapshot

if TYPE_CHECKING:
    from sqlalchemy import Connection

SCHEMA = 3


def ensure_schema(path: Path) -> None:
    """Make the ledger where there is none; upgrade an older one, after copying it aside.

    A crash leaves the former file; the copy is `ledger.db.before-N`, N being the new number.
    Raises `InputOutputFailed`: S1-I20 a newer number, S1-I23 damaged, S1-I27 lost.
    """
    with translated(path):
        if not path.exists():
            _refuse_lost(path)
            _make(path)
        number = _checked_number(path)
        if number > SCHEMA:
            raise _too_new(path, number)
        if number < SCHEMA:
            _upgrade(path, number, SCHEMA)


def current_copy(path: Path) -> bytes:
    """Copy the ledger into memory, with the schema of today; empty where there is none yet.

    Nothing is written. Raises as `ensure_schema`, and `OSError`.
    """
    with translated(path):
        copy, number = b"", 0
        if path.exists():
            copy = read_snapshot(path)
            with closing(sqlite3.connect(":memory:")) as connection:
                connection.deserialize(copy)
                number = _checked(path, connection)
        else:
            _refuse_lost(path)
        if number > SCHEMA:
            raise _too_new(path, number)
        return copy if number == SCHEMA else _upgraded_copy(copy)


def _upgraded_copy(copy: bytes) -> bytes:
    engine = make_copy_engine(copy)
    try:
        with engine.connect() as connection:
            with connection.execution_options(immediate=True).begin():
                _run_migrations(connection, SCHEMA)
            driver: Any = connection.connection.driver_connection
            return bytes(driver.serialize())
    finally:
        engine.dispose()


def _checked_number(path: Path) -> int:
    with closing(_connect(path)) as connection:
        return _checked(path, connection)


def _checked(path: Path, connection: sqlite3.Connection) -> int:
    number = int(connection.execute("PRAGMA user_version").fetchone()[0])
    findings = connection.execute("PRAGMA quick_check(1)").fetchall()
    if number == 0 or findings != [("ok",)]:
        raise InputOutputFailed(
            f"the ledger `{path}` is damaged: {findings[0][0] if number else 'it is empty'}",
            code="S1-I23",
            hint=f"restore `ledger.db` from the host's backup, or the newest `{path}.before-*`",
        )
    return number


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None)
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def _refuse_lost(path: Path) -> None:
    traces = sorted(path.parent.glob(f"{path.name}?*"))
    if traces:
        raise InputOutputFailed(
            f"the ledger `{path}` is gone, but `{traces[0].name}` is there",
            code="S1-I27",
            hint="restore `ledger.db` from the host's backup; only where no container of the site "
            "runs, move the state directory aside to begin anew",
        )


def _make(path: Path) -> None:
    """Make the ledger beside its place, then link it there: nobody ever meets half of it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    beside.unlink(missing_ok=True)
    os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    try:
        _upgrade(beside, 0, SCHEMA)
        os.link(beside, path)
    except FileExistsError:
        return  # another process made it meanwhile
    finally:
        for rest in beside.parent.glob(f"{beside.name}*"):
            rest.unlink()
    sync_folder(path.parent)


def _upgrade(path: Path, former: int, number: int) -> None:
    """Run the migrations in one transaction, together with the new number."""
    engine = make_engine(path)
    try:
        with engine.execution_options(immediate=True).begin() as connection:
            if connection.exec_driver_sql("PRAGMA user_version").scalar() != former:
                return  # another process upgraded it meanwhile
            if former:
                _copy_aside(path, number)
            _run_migrations(connection, number)
    finally:
        engine.dispose()


def _run_migrations(connection: "Connection", number: int) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    folder = str(data_folder("migrations/ledger"))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, f"{number:04}")
    connection.exec_driver_sql(f"PRAGMA user_version={number:d}")


def _copy_aside(path: Path, number: int) -> None:
    copy = path.with_name(f"{path.name}.before-{number}")
    beside = copy.with_name(f".{copy.name}.tmp")
    beside.unlink(missing_ok=True)
    os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    with closing(_connect(path)) as source, closing(_connect(beside)) as target:
        source.backup(target)
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    beside.replace(copy)
    sync_folder(copy.parent)


def _too_new(path: Path, number: int) -> InputOutputFailed:
    return InputOutputFailed(
        f"the ledger `{path}` has schema {number}; this s1ctl knows up to {SCHEMA}",
        code="S1-I20",
        hint="use the s1ctl that wrote it, or a newer one: `ls /opt/s1ctl`",
    )
