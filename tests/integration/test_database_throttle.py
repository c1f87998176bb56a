"""A backfill does not outrun a standby."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from s1ctl.database.runner import apply_revision
from s1ctl.database.throttle import MAX_LAG_BYTES
from s1ctl.database.wire import Waiting
from s1ctl.errors import StepFailed
from s1ctl.progress import silent
from tests.support.lineages import Lineage
from tests.support.postgres import Database, Server
from tests.support.registry import free_port
from tests.support.require import POSTGRES_BIN, need
from tests.support.waiting import in_background, wait_until

pytestmark = pytest.mark.integration
LINEAGE = Lineage().add("0001", "backfill", """
    backfill = Backfill(
        table="events", key=("id",), set="word = 'low'", where="word IS NULL",
        verify="SELECT count(*) FROM events WHERE word IS NULL",
    )
    """)  # fmt: skip

STREAMING = "SELECT pid FROM pg_stat_replication WHERE state = 'streaming'"


@pytest.fixture
def standby(postgres: Database, tmp_path: Path) -> Iterator[int]:
    """Receive the server's WAL by a slot, as a standby does; yield the receiver's pid."""
    slot = f"standby_{os.getpid()}"
    words = ["-h", postgres.host, "-p", str(postgres.port), "-U", "postgres", "-S", slot, "-w"]
    program, told = POSTGRES_BIN / "pg_receivewal", {"PGPASSWORD": postgres.admin_password}
    subprocess.run([program, *words, "--create-slot"], env=told, check=True, timeout=30)
    folder = tmp_path / "wal"
    folder.mkdir()
    active = "SELECT count(*) FROM pg_replication_slots WHERE active"
    with subprocess.Popen(
        [program, *words, "-D", folder, "-s", "1"], env=told, stderr=subprocess.DEVNULL
    ) as receiver:
        try:
            wait_until(lambda: postgres.one(active))
            yield receiver.pid
        finally:
            receiver.kill()
            receiver.wait()
            wait_until(lambda: not postgres.one(active))
            postgres.execute(f"SELECT pg_drop_replication_slot('{slot}')", admin=True)


def make_table(database: Database) -> None:
    """Make the 100 rows that the backfill fills."""
    database.execute(
        "CREATE TABLE events AS SELECT i AS id, NULL::text AS word FROM generate_series(1, 100) i"
    )
    database.execute("ALTER TABLE events ADD PRIMARY KEY (id)")


def write_wal(database: Database) -> None:
    """Write 80 MiB of WAL that mean nothing."""
    with closing(database.connect(autocommit=True, admin=True)) as connection:
        connection.cursor().execute(
            "SELECT count(pg_logical_emit_message(false, 'x', repeat('x', 1048576)))"
            " FROM generate_series(1, 80)"
        )


def test_a_backfill_waits_for_a_standby_that_lags_and_names_it(
    postgres: Database, standby: int, tmp_path: Path
) -> None:
    make_table(postgres)
    os.kill(standby, signal.SIGSTOP)
    write_wal(postgres)
    order = LINEAGE.order(postgres.dsn(), "0001", tmp_path, max_wait_s=0)
    with pytest.raises(StepFailed, match=r"by standby standby_\d+, \d+ MiB behind") as caught:
        apply_revision(order, notify=silent, on_wait=lambda _: None)
    assert caught.value.code == "S1-D36"
    assert postgres.one("SELECT count(word) FROM events") == 0
    heard: list[Waiting] = []
    order = LINEAGE.order(postgres.dsn(), "0001", tmp_path)
    running = in_background(lambda: apply_revision(order, notify=silent, on_wait=heard.append))
    wait_until(lambda: heard)
    assert str(heard[0].blockers[0]).startswith("standby standby_")
    assert postgres.one("SELECT count(word) FROM events") == 0
    os.kill(standby, signal.SIGCONT)
    assert running.result(60).rows == 100


@pytest.fixture(scope="module")
def publisher() -> Iterator[Server]:
    """A server that logical readers may follow."""
    need("postgres")
    folder = Path(tempfile.mkdtemp(prefix="s1ctl-postgres-"))
    try:
        server = Server(folder, {"wal_level": "logical"})
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_reader_that_keeps_up_holds_nothing_back_while_a_transaction_is_open(
    publisher: Server, tmp_path: Path
) -> None:
    """A logical slot's `restart_lsn` waits for that transaction, and an idle slot for ever."""
    database = publisher.make_database()
    make_table(database)
    for slot in ("reader", "nobody"):
        make = f"SELECT pg_create_logical_replication_slot('{slot}', 'test_decoding')"
        database.execute(make, admin=True)
    words = ["-h", database.host, "-p", str(database.port), "-U", "postgres", "-d", database.name]
    told = {"PGPASSWORD": database.admin_password}
    with (
        subprocess.Popen(
            [POSTGRES_BIN / "pg_recvlogical", *words, "-S", "reader", "--start", "-f",
             tmp_path / "read", "-F", "1", "-s", "1", "-w"], env=told, stderr=subprocess.DEVNULL,
        ) as reader,
        closing(database.connect(autocommit=False)) as open_one,
    ):  # fmt: skip
        try:
            slots = "FROM pg_replication_slots WHERE slot_name = 'reader'"
            wait_until(lambda: database.one(f"SELECT active {slots}"))
            open_one.cursor().execute("INSERT INTO events (id) VALUES (1000)")
            write_wal(database)
            behind = f"SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), {{}}) > {MAX_LAG_BYTES} {slots}"
            wait_until(lambda: not database.one(behind.format("confirmed_flush_lsn")))
            assert database.one(behind.format("restart_lsn"))
            order = LINEAGE.order(database.dsn(), "0001", tmp_path, max_wait_s=0)
            assert apply_revision(order, notify=silent, on_wait=lambda _: None).rows == 100
        finally:
            reader.kill()
            reader.wait()


@pytest.fixture
def delayed(publisher: Server) -> Iterator[Database]:
    """A database whose standby receives all at once, and replays it an hour later."""
    database, folder = publisher.make_database(), publisher.folder / "standby"
    word = f"postgresql://postgres:{publisher.admin_password}@{publisher.host}:{publisher.port}"
    user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    as_server: dict[str, Any] = {**user, "cwd": publisher.folder}
    copy = [POSTGRES_BIN / "pg_basebackup", "-d", word, "-D", folder, "-R", "-c", "fast"]
    subprocess.run(copy, check=True, timeout=60, **as_server)
    options = {
        "port": free_port(), "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
        "recovery_min_apply_delay": "1h", "max_connections": 60, "max_prepared_transactions": 5,
    }  # fmt: skip
    flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with subprocess.Popen(
        ["setpriv", "--pdeathsig", "INT", POSTGRES_BIN / "postgres", "-D", folder, *flags],
        stderr=subprocess.DEVNULL, **as_server,
    ) as standby:  # fmt: skip
        try:
            wait_until(lambda: database.execute(STREAMING, admin=True))
            yield database
        finally:
            standby.send_signal(signal.SIGQUIT)
            standby.wait(30)


def test_a_standby_that_is_delayed_on_purpose_holds_nothing_back(
    delayed: Database, tmp_path: Path
) -> None:
    """It has all that was written; a role that may see what it replayed would wait for an hour."""
    delayed.execute(f"GRANT pg_monitor TO {delayed.user}", admin=True)
    make_table(delayed)
    write_wal(delayed)
    behind = f"SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), {{}}) > {MAX_LAG_BYTES}"
    of = "FROM pg_stat_replication WHERE state = 'streaming'"
    wait_until(
        lambda: (
            not delayed.one(
                f"{behind.format('flush_lsn')} {of}",
            )
        )
    )
    assert delayed.one(f"{behind.format('replay_lsn')} {of}")
    order = LINEAGE.order(delayed.dsn(), "0001", tmp_path, max_wait_s=0)
    assert apply_revision(order, notify=silent, on_wait=lambda _: None).rows == 100
