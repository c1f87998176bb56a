"""A backfill does not outrun a standby."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from s1ctl.database.runner import apply_revision
from s1ctl.database.wire import Waiting
from s1ctl.errors import StepFailed
from s1ctl.progress import silent
from tests.support.lineages import Lineage
from tests.support.postgres import Database
from tests.support.require import POSTGRES_BIN
from tests.support.waiting import in_background, wait_until

pytestmark = pytest.mark.integration
LINEAGE = Lineage().add("0001", "backfill", """
    backfill = Backfill(
        table="events", key=("id",), set="word = 'low'", where="word IS NULL",
        verify="SELECT count(*) FROM events WHERE word IS NULL",
    )
    """)  # fmt: skip


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


def test_a_backfill_waits_for_a_standby_that_lags_and_names_it(
    postgres: Database, standby: int, tmp_path: Path
) -> None:
    postgres.execute("CREATE TABLE events AS SELECT i AS id, NULL::text AS word"
                     " FROM generate_series(1, 100) i")  # fmt: skip
    postgres.execute("ALTER TABLE events ADD PRIMARY KEY (id)")
    os.kill(standby, signal.SIGSTOP)
    with closing(postgres.connect(autocommit=True, admin=True)) as connection:
        # 80 MiB that nobody reads
        connection.cursor().execute(
            "SELECT count(pg_logical_emit_message(false, 'x', repeat('x', 1048576)))"
            " FROM generate_series(1, 80)"
        )
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
