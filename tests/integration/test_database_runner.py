"""Revisions on a real PostgreSQL."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from s1ctl.database.applied import applied_revisions
from s1ctl.database.runner import Order, apply_revision, undo_revision
from s1ctl.database.state import database_state, probe_revision
from s1ctl.database.wire import Failed, Request, RevisionRecord, Waiting, parse_event, write_line
from s1ctl.errors import ContentsRefused, InputOutputFailed, S1Error, SiteHeld, StepFailed
from s1ctl.plan.presence import Presence
from s1ctl.progress import Progress, silent
from tests.support.clients import Clients
from tests.support.lineages import Lineage, small_lineage
from tests.support.postgres import Database
from tests.support.waiting import in_background, wait_until
from tests.support.workers import wait_for_worker, wait_until_gone, worker_pids

pytestmark = pytest.mark.integration

SLOW_BACKFILL = """
    backfill = Backfill(
        table="events", key=("id",), set="severity = slow(level)", where="severity IS NULL",
        verify="SELECT count(*) FROM events WHERE severity IS NULL",
    )
"""


def deaf(_: Waiting) -> None:
    """Hear nothing of waiting."""


def apply(order: Order, on_wait: Callable[[Waiting], None] = deaf) -> RevisionRecord:
    return apply_revision(order, notify=silent, on_wait=on_wait)


@pytest.fixture
def events(postgres: Database, tmp_path: Path) -> Lineage:
    """A lineage whose first revision is applied, with 3,000 rows in its table."""
    lineage = small_lineage()
    apply(lineage.order(postgres.dsn(), "0001", tmp_path))
    postgres.execute("INSERT INTO events (level) SELECT i % 7 FROM generate_series(1, 3000) i")
    return lineage


@pytest.fixture
def slow(postgres: Database, events: Lineage) -> Lineage:
    """A lineage whose next revision, `0002`, fills 3,000 rows at a millisecond each."""
    postgres.execute(
        "ALTER TABLE events ADD COLUMN severity text;"
        "CREATE FUNCTION slow(int) RETURNS text LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(0.001); RETURN $1::text; END $$"
    )
    return first(events, 1).add("0002", "backfill", SLOW_BACKFILL)


def first(lineage: Lineage, count: int) -> Lineage:
    return Lineage(lineage.revisions[:count], lineage.blobs)


def test_a_lineage_lives_its_whole_life_while_old_code_writes(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    with Clients(
        postgres,
        "INSERT INTO events (level) VALUES (5)",
        "UPDATE events SET level = level + 1 WHERE id = 7",
        "SELECT count(level) FROM events WHERE id < 100",
    ) as clients:
        for revision in ("0002", "0003", "0004", "0005"):
            apply(events.order(postgres.dsn(), revision, tmp_path))
    print(  # noqa: T201
        f"\nold release during expand, backfill, index, enforce: {clients}"
    )
    assert not clients.errors
    assert postgres.one("SELECT count(*) FROM events WHERE severity IS NULL") == 0
    assert postgres.one("SELECT severity FROM events WHERE level = 5 LIMIT 1") == "high"
    assert postgres.one("SELECT bool_and(indisvalid AND indisready) FROM pg_index"
                        " WHERE indexrelid = 'events_severity'::regclass") is True  # fmt: skip
    assert postgres.one("SELECT count(*) FROM pg_constraint WHERE convalidated"
                        " AND conname = 'severity_known'") == 1  # fmt: skip
    apply(events.order(postgres.dsn(), "0006", tmp_path))
    assert applied_revisions(postgres.dsn()) == ("0001", "0002", "0003", "0004", "0005", "0006")
    assert database_state(postgres.dsn(), events.schema).standing == "at"
    assert postgres.one("SELECT string_agg(version_num, ',') FROM s1ctl.alembic_version") == "0006"


def test_an_applied_revision_is_said_to_be_applied_and_not_run_again(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    assert apply(events.order(postgres.dsn(), "0001", tmp_path)).was_applied


def test_expand_and_enforce_revisions_are_undone_and_applied_again(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    def columns() -> object:
        return postgres.execute(
            "SELECT attname, atttypid FROM pg_attribute WHERE attrelid = 'events'::regclass"
            " AND attnum > 0 AND NOT attisdropped ORDER BY 1"
        )

    before = columns()
    order = events.order(postgres.dsn(), "0002", tmp_path)
    for _ in range(2):
        apply(order)
        assert columns() != before
        undo_revision(order, notify=silent, on_wait=deaf)
        assert columns() == before
        assert probe_revision(postgres.dsn(), events.schema, "0002") is Presence.ABSENT


def test_a_backfill_is_not_undone(postgres: Database, slow: Lineage, tmp_path: Path) -> None:
    with pytest.raises(ContentsRefused) as caught:
        undo_revision(slow.order(postgres.dsn(), "0002", tmp_path), notify=silent, on_wait=deaf)
    assert caught.value.code == "S1-D28"


def test_a_failing_revision_leaves_nothing_behind(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    bad = first(events, 1).add("0002", "expand", """
        def upgrade():
            op.add_column("events", sa.Column("extra", sa.Text))
            op.execute("SELECT nonsense")
        """)  # fmt: skip
    with pytest.raises(StepFailed) as caught:
        apply(bad.order(postgres.dsn(), "0002", tmp_path))
    assert caught.value.code == "S1-D19"
    assert "42703" in caught.value.message
    assert postgres.one(
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'events'::regclass"
        " AND attname = 'extra'") == 0  # fmt: skip
    assert probe_revision(postgres.dsn(), bad.schema, "0002") is Presence.ABSENT


def test_what_a_revision_itself_raises_is_told_as_its_own(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    bad = first(events, 1).add("0002", "expand", """
        def upgrade():
            print("noise on stdout is no event")
            raise ValueError("of the vendor")
        """)  # fmt: skip
    with pytest.raises(StepFailed, match="`ValueError`: of the vendor") as caught:
        apply(bad.order(postgres.dsn(), "0002", tmp_path))
    assert caught.value.code == "S1-D35"


def test_a_revision_may_not_leave_its_transaction(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    bad = first(events, 1).add("0002", "expand", """
        def upgrade():
            with op.get_context().autocommit_block():
                op.execute("SELECT 1")
        """)  # fmt: skip
    with pytest.raises(ContentsRefused) as caught:
        apply(bad.order(postgres.dsn(), "0002", tmp_path))
    assert caught.value.code == "S1-D29"


def test_a_backfill_killed_in_the_middle_goes_on_at_its_cursor(
    postgres: Database, slow: Lineage, tmp_path: Path
) -> None:
    order = slow.order(postgres.dsn(), "0002", tmp_path)
    running = in_background(lambda: apply(order))
    pid = wait_for_worker()
    wait_until(lambda: postgres.one("SELECT to_regclass('s1ctl.backfill') IS NOT NULL"))
    wait_until(lambda: postgres.one("SELECT count(*) FROM s1ctl.backfill"))
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(StepFailed, match="killed by signal 9") as caught:
        running.result(30)
    assert caught.value.code == "S1-D41"
    kept = postgres.one("SELECT rows FROM s1ctl.backfill")
    assert isinstance(kept, int)
    assert 0 < kept < 3000
    assert probe_revision(postgres.dsn(), slow.schema, "0002") is Presence.ABSENT
    record = apply(order)
    assert record.rows == 3000
    assert postgres.one("SELECT count(*) FROM events WHERE severity = level::text") == 3000
    assert probe_revision(postgres.dsn(), slow.schema, "0002") is Presence.PRESENT


def test_a_backfill_goes_by_a_key_of_several_columns(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    postgres.execute(
        "CREATE TABLE parts (kind text, at timestamptz, number numeric, twice numeric,"
        " PRIMARY KEY (kind, at, number));"
        "INSERT INTO parts SELECT 'it''s %' || i % 3, now() - i % 5 * interval '1 h', i"
        " FROM generate_series(-2000, 2000) i"
    )
    lineage = first(events, 1).add("0002", "backfill", """
        backfill = Backfill(
            table="public.parts", key=("kind", "at", "number"), set="twice = number * 2",
            where="twice IS NULL AND kind LIKE '%s%'",
            verify="SELECT count(*) FROM parts WHERE twice IS NULL AND kind LIKE '%s%'",
        )
        """)  # fmt: skip
    assert apply(lineage.order(postgres.dsn(), "0002", tmp_path)).rows == 4001
    assert postgres.one("SELECT count(*) FROM parts WHERE twice = number * 2") == 4001
    assert postgres.one("SELECT seen FROM s1ctl.backfill") == 4001


def test_a_backfill_without_a_unique_key_is_refused(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    text = SLOW_BACKFILL.replace('key=("id",)', 'key=("level",)')
    lineage = first(events, 1).add("0002", "backfill", text)
    with pytest.raises(ContentsRefused) as caught:
        apply(lineage.order(postgres.dsn(), "0002", tmp_path))
    assert caught.value.code == "S1-D32"


def test_rows_that_old_code_keeps_adding_are_not_called_done(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    lineage = first(events, 1).add("0002", "backfill", """
        backfill = Backfill(
            table="events", key=("id",), set="level = level", where="false",
            verify="SELECT count(*) FROM events",
        )
        """)  # fmt: skip
    with pytest.raises(StepFailed, match="still counts 3000") as caught:
        apply(lineage.order(postgres.dsn(), "0002", tmp_path))
    assert caught.value.code == "S1-D31"
    assert probe_revision(postgres.dsn(), lineage.schema, "0002") is Presence.ABSENT


def test_a_blocker_is_named_and_no_client_waits_long_and_its_end_lets_the_revision_go_on(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    order = events.order(postgres.dsn(), "0002", tmp_path)
    heard: list[Waiting] = []
    with closing(postgres.connect("nightly-report")) as reader:
        pid = reader.info.backend_pid
        reader.cursor().execute("SELECT count(*) FROM events")
        with Clients(
            postgres,
            "SELECT count(level) FROM events WHERE id < 100",
            "UPDATE events SET level = level + 1 WHERE id = 7",
        ) as clients:
            running = in_background(lambda: apply(order, heard.append))
            wait_until(lambda: len(heard) >= 1)
            time.sleep(5)
            reader.rollback()
            record = running.result(60)
    (blocker,) = heard[0].blockers
    print(  # noqa: T201
        f"\nmax_stall 100 ms, reader open: {clients}; {record.tries} tries in"
        f" {record.total_ms} ms, longest {record.held_ms} ms; said: {blocker}"
    )
    assert (blocker.pid, blocker.application) == (pid, "nightly-report")
    assert blocker.age_ms is not None
    assert record.tries <= 3  # it waits outside of the queue, not in it
    assert not clients.errors
    assert probe_revision(postgres.dsn(), events.schema, "0002") is Presence.PRESENT


def test_a_revision_that_never_gets_its_lock_gives_up_and_names_who_has_it(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    order = events.order(postgres.dsn(), "0002", tmp_path, max_wait_s=1.5)
    with closing(postgres.connect("nightly-report")) as reader:
        reader.cursor().execute("SELECT count(*) FROM events")
        with pytest.raises(StepFailed, match="`nightly-report`") as caught:
            apply(order)
        assert str(reader.info.backend_pid) in caught.value.message
    assert caught.value.code == "S1-D07"


def test_an_index_waits_for_an_old_snapshot_names_it_and_gives_up(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    lineage = first(events, 1).add("0002", "expand", """
        transactional = False

        def upgrade():
            ops.create_index("events_level", "events", ["level"])
        """)  # fmt: skip
    heard: list[Waiting] = []
    with closing(postgres.connect("old-snapshot")) as reader:
        reader.set_session(isolation_level="REPEATABLE READ")
        reader.cursor().execute("SELECT count(*) FROM events")
        with pytest.raises(StepFailed, match="`old-snapshot`") as caught:
            apply(lineage.order(postgres.dsn(), "0002", tmp_path, max_wait_s=3), heard.append)
    assert caught.value.code == "S1-D07"
    assert heard[0].blockers[0].application == "old-snapshot"
    assert {event.tries for event in heard} == {1}  # CONCURRENTLY has no lock timeout
    assert postgres.one("SELECT indisvalid FROM pg_index"
                        " WHERE indexrelid = 'events_level'::regclass") is False  # fmt: skip
    apply(lineage.order(postgres.dsn(), "0002", tmp_path))
    assert postgres.one("SELECT indisvalid FROM pg_index"
                        " WHERE indexrelid = 'events_level'::regclass") is True  # fmt: skip


def test_an_invalid_index_left_over_is_rebuilt(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    for revision in ("0002", "0003"):
        apply(events.order(postgres.dsn(), revision, tmp_path))
    postgres.execute("CREATE INDEX events_severity ON events (severity)")
    postgres.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'events_severity'::regclass",
        admin=True,
    )
    former = postgres.one("SELECT 'events_severity'::regclass::oid")
    apply(events.order(postgres.dsn(), "0004", tmp_path))
    assert postgres.one("SELECT indisvalid FROM pg_index"
                        " WHERE indexrelid = 'events_severity'::regclass") is True  # fmt: skip
    assert postgres.one("SELECT 'events_severity'::regclass::oid") != former


def test_an_index_that_is_there_already_must_be_the_one_asked_for(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    for revision in ("0002", "0003"):
        apply(events.order(postgres.dsn(), revision, tmp_path))
    postgres.execute("CREATE INDEX events_severity ON events (level)")
    with pytest.raises(StepFailed) as caught:
        apply(events.order(postgres.dsn(), "0004", tmp_path))
    assert caught.value.code == "S1-D33"
    postgres.execute("DROP INDEX events_severity; CREATE INDEX events_severity ON events(severity)")
    apply(events.order(postgres.dsn(), "0004", tmp_path))


def test_if_not_exists_is_no_proof_of_an_index(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    lineage = first(events, 1).add("0002", "expand", """
        transactional = False

        def upgrade():
            op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS events_level ON events (level)")
        """)  # fmt: skip
    postgres.execute("CREATE INDEX events_level ON events (level)")
    postgres.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'events_level'::regclass",
        admin=True,
    )
    with pytest.raises(StepFailed) as caught:
        apply(lineage.order(postgres.dsn(), "0002", tmp_path))
    assert caught.value.code == "S1-D34"
    assert probe_revision(postgres.dsn(), lineage.schema, "0002") is Presence.ABSENT


def test_alembics_own_way_of_building_an_index_works_too(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    lineage = first(events, 1).add("0002", "expand", """
        transactional = False

        def upgrade():
            with op.get_context().autocommit_block():
                op.create_index("by_level", "events", ["level"], postgresql_concurrently=True)
        """)  # fmt: skip
    apply(lineage.order(postgres.dsn(), "0002", tmp_path))
    assert postgres.one("SELECT indisvalid FROM pg_index"
                        " WHERE indexrelid = 'by_level'::regclass") is True  # fmt: skip


def test_of_two_runners_at_once_the_second_is_refused(
    postgres: Database, slow: Lineage, tmp_path: Path
) -> None:
    order = slow.order(postgres.dsn(), "0002", tmp_path)
    postgres.execute("INSERT INTO events (level) SELECT 1 FROM generate_series(1, 3000)")
    running = in_background(lambda: apply(order))
    wait_until(lambda: postgres.one("SELECT count(*) FROM s1ctl.backfill"))
    with pytest.raises(SiteHeld, match="held by another s1ctl") as caught:
        apply(order)
    assert caught.value.code == "S1-D13"
    assert running.result(60).rows == 6000


def test_a_stale_fence_is_refused(postgres: Database, events: Lineage, tmp_path: Path) -> None:
    apply(events.order(postgres.dsn(), "0002", tmp_path, fence=7))
    with pytest.raises(StepFailed, match="fence 6 is older than fence 7") as caught:
        apply(events.order(postgres.dsn(), "0003", tmp_path, fence=6))
    assert caught.value.code == "S1-D14"


def test_a_fence_that_grew_meanwhile_is_noticed_inside_the_transaction(
    postgres: Database, slow: Lineage, tmp_path: Path
) -> None:
    running = in_background(lambda: apply(slow.order(postgres.dsn(), "0002", tmp_path)))
    wait_until(lambda: postgres.one("SELECT count(*) FROM s1ctl.backfill"))
    postgres.execute("UPDATE s1ctl.hold SET fence = 2")
    with pytest.raises(StepFailed) as caught:
        running.result(30)
    assert caught.value.code == "S1-D14"
    assert probe_revision(postgres.dsn(), slow.schema, "0002") is Presence.ABSENT


def test_a_changed_text_is_refused(postgres: Database, events: Lineage, tmp_path: Path) -> None:
    order = events.order(postgres.dsn(), "0002", tmp_path)
    with (tmp_path / "0002.py").open("a") as file:
        file.write("\n# changed\n")
    with pytest.raises(ContentsRefused) as caught:
        apply(order)
    assert caught.value.code == "S1-D24"
    assert applied_revisions(postgres.dsn()) == ("0001",)


def test_a_lineage_whose_applied_text_has_changed_is_refused(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    other = Lineage().add("0001", "expand", "def upgrade(): pass").add(
        "0002", "expand", "def upgrade(): pass"
    )  # fmt: skip
    with pytest.raises(StepFailed) as caught:
        apply(other.order(postgres.dsn(), "0002", tmp_path))
    assert caught.value.code == "S1-D16"


def test_a_revision_out_of_order_is_refused_by_behind_ahead_and_unknown(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    def refused(lineage: Lineage, revision: str) -> str:
        with pytest.raises(StepFailed) as caught:
            apply(lineage.order(postgres.dsn(), revision, tmp_path))
        return caught.value.code

    assert refused(events, "0003") == "S1-D21"
    apply(events.order(postgres.dsn(), "0002", tmp_path))
    assert refused(events, "0001") == "S1-D22"
    foreign = Lineage().add("a1", "expand", "def upgrade(): pass")
    assert refused(foreign, "a1") == "S1-D23"
    assert database_state(postgres.dsn(), foreign.schema).standing == "unknown"
    assert probe_revision(postgres.dsn(), foreign.schema, "a1") is Presence.UNKNOWN
    assert database_state(postgres.dsn(), first(events, 1).schema).standing == "ahead"
    assert database_state(postgres.dsn(), events.schema).pending == (
        "0003", "0004", "0005", "0006")  # fmt: skip


def test_the_worker_has_no_secret_in_environment_and_arguments(
    postgres: Database, slow: Lineage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S1CTL_CANARY", "canary-in-the-environment")
    running = in_background(lambda: apply(slow.order(postgres.dsn(), "0002", tmp_path)))
    pid = wait_for_worker()
    wait_until(lambda: postgres.one("SELECT count(*) FROM s1ctl.backfill"))
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
    running.result(60)
    names = {entry.split(b"=")[0] for entry in environment.split(b"\0") if entry}
    assert names == {b"PATH", b"LANG", b"PYTHONPATH"}
    assert postgres.password.encode() not in environment + arguments
    assert postgres.name.encode() not in environment + arguments


def test_the_worker_ends_with_its_parent(postgres: Database, slow: Lineage, tmp_path: Path) -> None:
    postgres.execute("INSERT INTO events (level) SELECT 1 FROM generate_series(1, 20000)")
    order = slow.order(postgres.dsn(), "0002", tmp_path)
    script = (
        "import sys; from pathlib import Path; from s1ctl.database.runner import *;"
        "from s1ctl.shape import parse_value; import json;"
        "schema = parse_value(json.loads(sys.argv[1]), Schema);"
        "order = Order(dsn=Secret(sys.stdin.readline().strip()), schema=schema, revision='0002',"
        " folder=Path(sys.argv[2]), operation='o', plan='p', fence=1);"
        "apply_revision(order, notify=lambda _: None, on_wait=lambda _: None)"
    )
    import json

    from s1ctl.shape import plain

    with subprocess.Popen(
        [sys.executable, "-c", script, json.dumps(plain(slow.schema)), str(tmp_path)],
        stdin=subprocess.PIPE,
    ) as parent:
        assert parent.stdin
        parent.stdin.write(order.dsn.reveal().encode() + b"\n")
        parent.stdin.flush()
        worker = wait_for_worker(parent.pid)
        wait_until(lambda: postgres.one("SELECT count(*) FROM s1ctl.backfill"))
        parent.kill()
    wait_until_gone(worker)
    wait_until(
        lambda: (
            not postgres.one(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 's1ctl%'"
            )
        )
    )
    postgres.execute("DELETE FROM events WHERE id > 3000")
    assert apply(order).revision == "0002"
    assert postgres.one("SELECT count(*) FROM events WHERE severity IS NULL") == 0


def test_an_interrupt_ends_the_worker_and_takes_its_transaction_back(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    lineage = first(events, 1).add("0002", "expand", """
        def upgrade():
            op.add_column("events", sa.Column("extra", sa.Text))
            op.execute("SELECT pg_sleep(60)")
        """)  # fmt: skip
    order = lineage.order(postgres.dsn(), "0002", tmp_path)

    def interrupt() -> None:
        wait_for_worker()
        wait_until(
            lambda: postgres.one(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%%'"
                " AND state = 'active'"
            )
        )
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        apply(order)
    took_s = time.monotonic() - began
    print(f"\nfrom start to the end of an interrupted worker: {took_s:.1f} s")  # noqa: T201
    assert worker_pids() == []
    assert probe_revision(postgres.dsn(), lineage.schema, "0002") is Presence.ABSENT


def test_a_worker_whose_stdin_ends_takes_its_transaction_back_and_says_so(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    lineage = first(events, 1).add("0002", "expand", """
        def upgrade():
            op.execute("SELECT pg_sleep(60)")
        """)  # fmt: skip
    order = lineage.order(postgres.dsn(), "0002", tmp_path)
    request = Request(
        dsn=order.dsn.reveal(), database="console", folder=str(tmp_path),
        lineage=lineage.revisions, revision="0002", direction="do", operation="o", plan="p",
        fence=1, max_stall_ms=100, max_wait_ms=1000,
    )  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "s1ctl.database.worker"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as worker:  # fmt: skip
        assert worker.stdin
        assert worker.stdout
        worker.stdin.write(write_line(request))
        worker.stdin.flush()
        wait_until(
            lambda: postgres.one(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%%'"
                " AND state = 'active'"
            )
        )
        worker.stdin.close()
        last = parse_event(worker.stdout.readlines()[-1])
    assert isinstance(last, Failed)
    assert (last.code, last.kind) == ("S1-D42", "inconclusive")


def test_progress_is_told_in_rows(postgres: Database, slow: Lineage, tmp_path: Path) -> None:
    heard: list[Progress] = []
    apply_revision(slow.order(postgres.dsn(), "0002", tmp_path), notify=heard.append, on_wait=deaf)
    assert {progress.unit for progress in heard} == {"rows"}
    assert heard[-1].done > 0


def test_a_database_that_cannot_be_reached_is_unknown(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    wrong = postgres.dsn(password="wrong")
    assert probe_revision(wrong, events.schema, "0001") is Presence.UNKNOWN
    with pytest.raises(InputOutputFailed) as caught:
        apply(events.order(wrong, "0002", tmp_path))
    assert caught.value.code == "S1-D02"


@pytest.mark.parametrize(
    ("state", "code"), [("53100", "S1-D05"), ("42501", "S1-D06"), ("25006", "S1-D04")]
)
def test_a_refusal_in_a_revision_is_told_by_its_sqlstate(
    postgres: Database, events: Lineage, tmp_path: Path, state: str, code: str
) -> None:
    lineage = first(events, 1).add("0002", "expand", f"""
        def upgrade():
            op.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")
        """)  # fmt: skip
    with pytest.raises(StepFailed) as caught:
        apply(lineage.order(postgres.dsn(), "0002", tmp_path))
    assert caught.value.code == code


def test_a_lost_connection_leaves_the_outcome_open(
    postgres: Database, events: Lineage, tmp_path: Path
) -> None:
    lineage = first(events, 1).add("0002", "expand", """
        def upgrade():
            op.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        """)  # fmt: skip
    with pytest.raises(S1Error) as caught:
        apply(lineage.order(postgres.dsn(), "0002", tmp_path))
    assert type(caught.value).__name__ == "Inconclusive"
    assert caught.value.code == "S1-D09"
