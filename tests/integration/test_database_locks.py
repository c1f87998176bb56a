"""Locks, kills and leftovers on a real PostgreSQL."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from s1ctl.database.runner import Order, apply_revision
from s1ctl.database.state import probe_revision
from s1ctl.database.wire import RevisionRecord, Waiting
from s1ctl.errors import StepFailed
from s1ctl.plan.presence import Presence
from s1ctl.progress import silent
from tests.support.clients import Clients
from tests.support.lineages import Lineage
from tests.support.postgres import Database
from tests.support.waiting import in_background, wait_until
from tests.support.workers import wait_for_worker

pytestmark = pytest.mark.integration


def apply(order: Order, on_wait: Callable[[Waiting], None] = lambda _: None) -> RevisionRecord:
    return apply_revision(order, notify=silent, on_wait=on_wait)


def activity(postgres: Database, query: str) -> Callable[[], object]:
    return lambda: postgres.one(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 's1ctl-worker'"
        " AND state = 'active' AND query LIKE %s",
        query + "%",
    )


def test_all_lock_waits_of_a_try_share_one_budget(postgres: Database, tmp_path: Path) -> None:
    """Clients of the first table must not wait for our lock on the second, third and fourth."""
    for name in "abcd":
        postgres.execute(f"CREATE TABLE {name} (i int); INSERT INTO {name} VALUES (1)")
    postgres.execute("CREATE TABLE seen (n int GENERATED ALWAYS AS IDENTITY, ms int)")
    lineage = Lineage().add("0001", "contract", """
        def upgrade():
            for name in "abcd":
                op.execute(f"DO $$ BEGIN LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE;"
                           " EXCEPTION WHEN lock_not_available THEN NULL; END $$")
                op.execute("INSERT INTO seen (ms) SELECT setting::int FROM pg_settings"
                           " WHERE name = 'lock_timeout'")
        """)  # fmt: skip
    with closing(postgres.connect("reader")) as reader:
        cursor = reader.cursor()
        for name in "bcd":
            cursor.execute(f"SELECT * FROM {name}")
        with Clients(postgres, "SELECT * FROM a", rate=50) as clients:
            record = apply(lineage.order(postgres.dsn(), "0001", tmp_path, max_stall_ms=300))
    print(f"\nthree lock waits, max_stall 300 ms: {clients}, held {record.held_ms} ms")  # noqa: T201
    left = [row[0] for row in postgres.execute("SELECT ms FROM seen ORDER BY n")]
    assert left == sorted(left, reverse=True)
    assert left[-2:] == [1, 1]


def test_a_pooled_connection_that_goes_on_working_is_not_waited_for(
    postgres: Database, tmp_path: Path
) -> None:
    """It holds the lock in one transaction after the other: each is over soon."""
    postgres.execute("CREATE TABLE a (i int)")
    lineage = Lineage().add("0001", "expand", """
        def upgrade():
            op.add_column("a", sa.Column("j", sa.Integer))
        """)  # fmt: skip
    ended = threading.Event()

    def work() -> None:
        with closing(postgres.connect("busy", autocommit=True)) as connection:
            while not ended.is_set():
                connection.cursor().execute("SELECT count(*), pg_sleep(0.2) FROM a")

    busy = threading.Thread(target=work)
    busy.start()
    try:
        record = apply(lineage.order(postgres.dsn(), "0001", tmp_path, max_wait_s=60))
    finally:
        ended.set()
        busy.join(30)
    print(f"\na busy connection: {record.tries} tries, {record.total_ms} ms")  # noqa: T201
    assert probe_revision(postgres.dsn(), lineage.schema, "0001") is Presence.PRESENT


def test_a_prepared_transaction_is_named(postgres: Database, tmp_path: Path) -> None:
    if postgres.one("SHOW max_prepared_transactions") == "0":
        pytest.fail("the test server allows no prepared transaction")
    postgres.execute("CREATE TABLE a (i int)")
    with closing(postgres.connect("two-phase")) as client:
        client.tpc_begin(client.xid(1, "forgotten", "x"))
        client.cursor().execute("INSERT INTO a VALUES (1)")
        client.tpc_prepare()
        lineage = Lineage().add("0001", "expand", """
            def upgrade():
                op.add_column("a", sa.Column("j", sa.Integer))
            """)  # fmt: skip
        with pytest.raises(StepFailed, match="a prepared transaction") as caught:
            apply(lineage.order(postgres.dsn(), "0001", tmp_path, max_wait_s=1))
        assert caught.value.code == "S1-D07"
        client.tpc_rollback()
    apply(lineage.order(postgres.dsn(), "0001", tmp_path))


def test_a_revision_killed_in_the_middle_leaves_nothing_and_is_applied_again(
    postgres: Database, tmp_path: Path
) -> None:
    postgres.execute(
        "CREATE TABLE a (i int); CREATE TABLE wait (s int); INSERT INTO wait VALUES(60)"
    )
    lineage = Lineage().add("0001", "expand", """
        def upgrade():
            op.add_column("a", sa.Column("j", sa.Integer))
            op.execute("SELECT pg_sleep(s) FROM wait")
        """)  # fmt: skip
    order = lineage.order(postgres.dsn(), "0001", tmp_path)
    running = in_background(lambda: apply(order))
    pid = wait_for_worker()
    wait_until(activity(postgres, "SELECT pg_sleep"))
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(StepFailed):
        running.result(30)
    # The server notices by itself: nothing goes on in the name of a dead worker.
    wait_until(
        lambda: (
            not postgres.one(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 's1ctl-worker'"
            )
        )
    )
    assert probe_revision(postgres.dsn(), lineage.schema, "0001") is Presence.ABSENT
    postgres.execute("UPDATE wait SET s = 0")
    assert not apply(order).was_applied
    assert probe_revision(postgres.dsn(), lineage.schema, "0001") is Presence.PRESENT


def test_an_index_build_killed_in_the_middle_is_built_again(
    postgres: Database, tmp_path: Path
) -> None:
    postgres.execute("CREATE TABLE a AS SELECT i FROM generate_series(1, 1000) i")
    lineage = Lineage().add("0001", "expand", """
        transactional = False

        def upgrade():
            ops.create_index("a_i", "a", ["i"], unique=True)
        """)  # fmt: skip
    order = lineage.order(postgres.dsn(), "0001", tmp_path)
    with closing(postgres.connect("old-snapshot")) as reader:
        reader.set_session(isolation_level="REPEATABLE READ")
        reader.cursor().execute("SELECT count(*) FROM a")
        running = in_background(lambda: apply(order))
        pid = wait_for_worker()
        wait_until(activity(postgres, "CREATE UNIQUE INDEX CONCURRENTLY"))
        wait_until(lambda: postgres.one("SELECT count(*) FROM pg_index WHERE NOT indisvalid"))
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(StepFailed):
            running.result(30)
    apply(order)
    assert postgres.execute(
        "SELECT indisvalid, indisready FROM pg_index WHERE indexrelid = 'a_i'::regclass"
    ) == [(True, True)]


def test_a_unique_index_over_duplicates_is_told_and_mended_by_another_run(
    postgres: Database, tmp_path: Path
) -> None:
    postgres.execute("CREATE TABLE a (i int); INSERT INTO a VALUES (1), (1)")
    lineage = Lineage().add("0001", "expand", """
        transactional = False

        def upgrade():
            ops.create_index("a_i", "a", ["i"], unique=True)
        """)  # fmt: skip
    order = lineage.order(postgres.dsn(), "0001", tmp_path)
    with pytest.raises(StepFailed, match="23505") as caught:
        apply(order)
    assert "(1)" not in caught.value.message
    postgres.execute("DELETE FROM a")
    apply(order)
    assert postgres.one("SELECT bool_and(indisvalid) FROM pg_index"
                        " WHERE indexrelid = 'a_i'::regclass") is True  # fmt: skip
