"""Console of the first two releases, as their images have it, on a real PostgreSQL."""

import json
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.support.consoles import ATLAS, EVENTS, LINEAGE, WAIT_S, Console, Start, migrate
from tests.support.postgres import Database

pytestmark = pytest.mark.integration

EXPANDED = ("0001_events", "0002_severity", "0003_severity_index")
RELEASES = ("1.0.0", "1.1.0")


def fill(database: Database) -> None:
    """Do in one go what the backfill does in batches."""
    said = runpy.run_path(str(LINEAGE / "0004_severity_backfill.py"))["backfill"]
    database.execute(f"UPDATE {said.table} SET {said.set} WHERE {said.where}")


def schema_of(database: Database) -> list[tuple[object, ...]]:
    columns = "SELECT column_name, data_type, is_nullable FROM information_schema.columns"
    return [
        *database.execute(f"{columns} WHERE table_schema = 'public' ORDER BY 1"),
        *database.execute("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"),
        *database.execute("SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
                          " WHERE conrelid = 'events'::regclass ORDER BY 1"),
        *database.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"),
        *database.execute("SELECT proname FROM pg_proc"
                          " WHERE pronamespace = 'public'::regnamespace"),
    ]  # fmt: skip


def test_what_expand_and_enforce_add_can_be_undone(postgres: Database) -> None:
    migrate(postgres, ("0001_events",))
    first = schema_of(postgres)
    migrate(postgres, EXPANDED[1:])
    expanded = schema_of(postgres)
    migrate(postgres, ("0005_severity_checked",))
    enforced = schema_of(postgres)
    assert enforced != expanded
    migrate(postgres, ("0005_severity_checked",), "downgrade")
    assert schema_of(postgres) == expanded
    migrate(postgres, ("0003_severity_index", "0002_severity"), "downgrade")
    assert schema_of(postgres) == first
    migrate(postgres, (*EXPANDED[1:], "0005_severity_checked"))
    assert schema_of(postgres) == enforced


@pytest.mark.parametrize("version", RELEASES)
def test_a_release_serves_events_on_the_enforced_schema(
    version: str, postgres: Database, start: Start
) -> None:
    migrate(postgres, (*EXPANDED, "0005_severity_checked"))
    console = start(version)
    console.wait_until("/health/ready", 200)
    assert console.ask("GET", "/version") == (200, {"version": version})
    added = [console.add(level, f"text {level}") for level in (1, 6)]
    assert console.ask("GET", f"{EVENTS}/{added[0]['id']}") == (200, added[0])
    assert console.ask("GET", f"{EVENTS}/by-key/{added[1]['key']}") == (200, added[1])
    assert console.ask("GET", EVENTS) == (200, {"events": added[::-1]})
    assert console.ask("GET", f"{EVENTS}?limit=1") == (200, {"events": added[1:]})
    assert console.ask("GET", f"{EVENTS}/count") == (200, {"count": 2})
    keys = [added[0]["key"], str(uuid.uuid4())]
    assert console.ask("POST", f"{EVENTS}/lookup", {"keys": keys}) == (200, {"found": keys[:1]})


def test_release_1_0_0_serves_its_own_schema_and_keeps_serving_while_it_expands(
    postgres: Database, start: Start
) -> None:
    migrate(postgres, EXPANDED[:1])
    console = start("1.0.0")
    console.wait_until("/health/ready", 200)
    before = console.add(2)
    migrate(postgres, EXPANDED[1:])
    after = console.add(7)
    assert console.ask("GET", EVENTS) == (200, {"events": [after, before]})
    rows = postgres.execute("SELECT severity FROM events ORDER BY id")
    assert rows == [(None,), ("high",)]


def test_after_a_rollback_the_rows_written_meanwhile_are_still_there(
    postgres: Database, start: Start
) -> None:
    migrate(postgres, EXPANDED[:1])
    former = start("1.0.0")
    rows = [former.add(2, "before the upgrade")]
    migrate(postgres, EXPANDED[1:])
    rows.append(former.add(3, "while it is expanded"))
    fill(postgres)
    migrate(postgres, ("0005_severity_checked",))
    rows.append(start("1.1.0").add(7, "after the upgrade"))
    former.process.terminate()
    again = start("1.0.0")
    again.wait_until("/health/ready", 200)
    _, found = again.ask("GET", EVENTS)
    assert [event["key"] for event in found["events"]] == [row["key"] for row in reversed(rows)]
    rows.append(again.add(4, "after the rollback"))
    assert again.ask("GET", f"{EVENTS}/count") == (200, {"count": len(rows)})


def test_release_1_1_0_reads_rows_that_have_no_severity_yet(
    postgres: Database, start: Start
) -> None:
    migrate(postgres, EXPANDED[:1])
    for level in (1, 6):
        postgres.execute(
            "INSERT INTO events (key, level, text) VALUES (%s, %s, 'old')", str(uuid.uuid4()), level
        )
    migrate(postgres, EXPANDED[1:])
    console = start("1.1.0")
    console.wait_until("/health/ready", 200)
    new = console.add(7)
    assert new["severity"] == "high"
    _, found = console.ask("GET", EVENTS)
    assert [event["severity"] for event in found["events"]] == ["high", "high", "low"]
    _, found = console.ask("GET", f"{EVENTS}?severity=high")
    assert [event["level"] for event in found["events"]] == [7, 6]
    assert postgres.one("SELECT count(*) FROM events WHERE severity IS NULL") == 2


def test_an_event_sent_twice_under_one_key_is_there_once(postgres: Database, start: Start) -> None:
    migrate(postgres, EXPANDED)
    console = start("1.1.0")
    key = str(uuid.uuid4())
    added = console.add(3, "first", key=key)
    again = console.ask("POST", EVENTS, {"level": 3, "text": "first", "key": key})
    assert again == (200, added)
    assert console.ask("GET", f"{EVENTS}/count") == (200, {"count": 1})


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"level": 8, "text": "x"},
        {"level": True, "text": "x"},
        {"level": 1, "text": ""},
        {"level": 1, "text": "a\0b"},
        {"level": 1, "text": "x", "key": "no uuid"},
        {"level": 1, "text": "x", "severity": "high"},
    ],
)
def test_a_wrong_event_is_refused(body: object, shared_console: Console) -> None:
    status, document = shared_console.ask("POST", EVENTS, body)
    assert (status, list(document)) == (400, ["error"])


@pytest.fixture
def shared_console(postgres: Database, start: Start) -> Console:
    migrate(postgres, EXPANDED)
    return start("1.1.0")


def test_what_is_not_there_is_404(shared_console: Console) -> None:
    assert shared_console.ask("GET", f"{EVENTS}/1") == (404, {"error": "no such event"})


def test_ready_is_refused_until_the_tables_are_there(postgres: Database, start: Start) -> None:
    console = start("1.1.0")
    assert console.wait_until("/health/ready", 503)["ready"] is False
    migrate(postgres, EXPANDED[:1])
    assert console.ask("GET", "/health/ready")[0] == 503
    assert console.ask("GET", "/health/live") == (200, {"live": True})
    migrate(postgres, EXPANDED[1:])
    console.wait_until("/health/ready", 200)


def test_ready_has_a_deadline_of_its_own(postgres: Database, start: Start) -> None:
    migrate(postgres, EXPANDED)
    console = start("1.1.0")
    console.wait_until("/health/ready", 200)
    with closing(postgres.connect()) as other:
        other.cursor().execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        status, document = console.ask("GET", "/health/ready")
        assert (status, document["ready"]) == (503, False)
        assert console.ask("GET", "/health/live")[0] == 200
    console.wait_until("/health/ready", 200)


def test_lost_connections_are_made_anew(postgres: Database, start: Start) -> None:
    migrate(postgres, EXPANDED)
    console = start("1.1.0")
    console.wait_until("/health/ready", 200)
    postgres.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'console 1.1.0'"
    )
    for level in range(8):
        console.add(level)


def test_a_database_that_is_away_is_503_and_found_again(postgres: Database, start: Start) -> None:
    migrate(postgres, EXPANDED)
    console = start("1.1.0")
    console.wait_until("/health/ready", 200)
    set_connections(postgres, allowed=False)
    assert console.ask("GET", EVENTS)[0] == 503
    assert console.ask("GET", "/health/ready")[0] == 503
    assert console.ask("GET", "/health/live")[0] == 200
    set_connections(postgres, allowed=True)
    console.wait_until("/health/ready", 200)
    console.add()


def set_connections(database: Database, *, allowed: bool) -> None:
    admin = psycopg2.connect(database.dsn(
        user="postgres", password=database.admin_password, name="postgres"
    ).reveal())  # fmt: skip
    with closing(admin):
        admin.autocommit = True
        cursor = admin.cursor()
        cursor.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS {allowed}")
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            (database.name,),
        )


def test_sigterm_ends_it_after_what_runs(postgres: Database, start: Start) -> None:
    migrate(postgres, EXPANDED)
    console = start("1.1.0")
    console.wait_until("/health/ready", 200)
    answers: list[Any] = []
    with closing(postgres.connect()) as other:
        other.cursor().execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        writer = threading.Thread(target=lambda: answers.append(console.add(text="late")))
        writer.start()
        wait_until_blocked(postgres)
        console.process.send_signal(signal.SIGTERM)
        wait_until_refused(console.port)
        assert console.process.poll() is None
    writer.join(WAIT_S)
    assert answers[0]["text"] == "late"
    assert console.process.wait(WAIT_S) == 0


def wait_until_blocked(database: Database) -> None:
    query = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    deadline = time.monotonic() + WAIT_S
    while not database.one(query):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_until_refused(port: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_logs_are_one_json_document_a_line(postgres: Database, start: Start) -> None:
    migrate(postgres, EXPANDED)
    console = start("1.1.0")
    console.add()
    console.process.send_signal(signal.SIGTERM)
    console.process.wait(WAIT_S)
    lines = [json.loads(line) for line in console.log.read_text().splitlines()]
    messages = [line["message"] for line in lines]
    assert messages[0] == "listening"
    assert messages[-2:] == ["stopping", "stopped"]
    request = next(line for line in lines if line["message"] == "request")
    assert (request["method"], request["path"], request["status"]) == ("POST", EVENTS, 201)
    assert postgres.password not in console.log.read_text()


def load(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ATLAS / "load.py", *arguments],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_the_load_client_counts_and_finds_what_it_wrote_and_what_is_lost(
    postgres: Database, start: Start, tmp_path: Path
) -> None:
    migrate(postgres, EXPANDED)
    console = start("1.1.0")
    console.wait_until("/health/ready", 200)
    url, out = f"http://127.0.0.1:{console.port}", tmp_path / "load.json"
    done = load("--url", url, "--rate", "40", "--out", out, "--max-seconds", "2")
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    assert result["failed"] == 0, result["first_errors"]
    assert result["requests"] >= 2 * result["written"] - 1 > 0
    assert result["by_version"] == {"1.1.0": result["requests"]}
    assert postgres.one("SELECT count(*) FROM events") == result["written"]
    checked = load("--url", url, "--check", out)
    assert (checked.returncode, json.loads(checked.stdout)["lost"]) == (0, 0)
    postgres.execute("DELETE FROM events WHERE key = %s", result["keys"][0])
    checked = load("--url", url, "--check", out)
    assert (checked.returncode, json.loads(checked.stdout)["lost"]) == (1, 1)
