"""The life of each revision of atlas, by s1ctl's own worker, with old and new code on it."""

import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from s1ctl.database.runner import apply_revision, undo_revision
from s1ctl.progress import silent
from tests.support.consoles import (
    EVENTS,
    Console,
    Start,
    atlas_lineage,
    environment_of,
    lay_out,
    migrate,
)
from tests.support.postgres import Database, Server

pytestmark = pytest.mark.integration

HOPS = (("1.0.0", "1.1.0"), ("1.1.0", "2.0.0"))
NEWER = "/api/v2/events"


class Schema:
    """The database of one test and the lineage that the newest release brings."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database, self._folder = database, folder
        self.lineage = atlas_lineage("2.0.0")

    def of(self, release: str, *phases: str) -> list[str]:
        return [
            revision.id
            for revision in self.lineage.revisions
            if str(revision.release) == release and (not phases or revision.phase in phases)
        ]

    def apply(self, *revisions: str) -> None:
        self._do(apply_revision, revisions)

    def undo(self, *revisions: str) -> None:
        self._do(undo_revision, revisions)

    def _do(self, act: Callable[..., object], revisions: tuple[str, ...]) -> None:
        for revision in revisions:
            order = self.lineage.order(self._database.dsn(), revision, self._folder)
            act(order, notify=silent, on_wait=lambda _: None)

    def up_to(self, release: str, *, without: tuple[str, ...] = ()) -> None:
        """Apply all of the releases before, and of this one all but some phases."""
        for revision in atlas_lineage(release).revisions:
            if str(revision.release) != release or revision.phase not in without:
                self.apply(revision.id)

    def shape(self) -> list[tuple[object, ...]]:
        """All there is in `public`, in words; without the order of columns."""
        return [
            *self._ask("SELECT column_name, data_type, is_nullable, column_default FROM"
                       " information_schema.columns WHERE table_schema = 'public' ORDER BY 1"),
            *self._ask("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"),
            *self._ask("SELECT conname, pg_get_constraintdef(oid), convalidated FROM"
                       " pg_constraint WHERE conrelid = 'events'::regclass ORDER BY 1"),
            *self._ask("SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"),
            *self._ask("SELECT prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace"),
        ]  # fmt: skip

    def _ask(self, query: str) -> list[tuple[object, ...]]:
        return self._database.execute(query)


@pytest.fixture
def schema(postgres: Database, tmp_path: Path) -> Schema:
    return Schema(postgres, tmp_path / "migrations")


def serves(console: Console, *others: Console) -> None:
    """Let one write, and each of them read what it wrote, in every way."""
    console.wait_until("/health/ready", 200)
    key = str(uuid.uuid4())
    added = console.add(6, f"text of {key}", key=key)
    for reader in (console, *others):
        status, found = reader.ask("GET", f"{EVENTS}/by-key/{key}")
        assert (status, found["text"], found["level"]) == (200, f"text of {key}", 6)
        assert reader.ask("GET", f"{EVENTS}?limit=1")[1]["events"] == [found]
        assert reader.ask("POST", f"{EVENTS}/lookup", {"keys": [key]}) == (200, {"found": [key]})
        assert reader.ask("GET", f"{EVENTS}/{added['id']}") == (200, found)


@pytest.fixture
def fresh(postgres_server: Server, tmp_path: Path) -> Iterator[Schema]:
    """A second database, in which nobody has gone back and forth."""
    database = postgres_server.make_database()
    yield Schema(database, tmp_path / "fresh")
    postgres_server.drop_database(database)


@pytest.mark.parametrize(("old", "new"), HOPS)
def test_the_revisions_of_a_hop_live_their_whole_life_under_old_and_new_code(
    old: str, new: str, schema: Schema, fresh: Schema, start: Start
) -> None:
    schema.up_to(old)
    former = start(old)
    serves(former)
    before = schema.shape()
    expand, enforce = schema.of(new, "expand"), schema.of(new, "enforce")
    schema.apply(*expand)
    expanded = schema.shape()
    later = start(new)
    serves(former, later)
    serves(later, former)
    schema.undo(*reversed(expand))
    assert schema.shape() == before
    serves(former)
    schema.apply(*expand, *schema.of(new, "backfill"))
    assert schema.shape() == expanded
    serves(former, later)
    serves(later, former)
    schema.apply(*enforce)
    enforced = schema.shape()
    assert enforced != expanded
    schema.undo(*reversed(enforce))
    assert schema.shape() == expanded
    schema.apply(*enforce)
    serves(former, later)
    serves(later, former)
    schema.apply(*schema.of(new, "contract"))
    serves(later)
    assert former.ask("POST", EVENTS, {"level": 1, "text": "too late"})[0] == 500
    fresh.up_to(new)
    assert schema.shape() == fresh.shape()


@pytest.mark.parametrize("release", ["1.1.0", "2.0.0"])
def test_a_contract_fails_no_request_of_the_release_that_runs(
    release: str, schema: Schema, start: Start
) -> None:
    schema.up_to(release, without=("contract",))
    console = start(release)
    console.wait_until("/health/ready", 200)
    with written(console) as answers:
        schema.apply(*schema.of(release, "contract"))
    assert len(answers) > 10
    assert {status for status, _ in answers} == {201}
    assert console.ask("GET", f"{EVENTS}/count") == (200, {"count": len(answers)})


@contextmanager
def written(console: Console) -> Iterator[list[tuple[int, Any]]]:
    """Write events one after the other until the block ends, and some more."""
    answers: list[tuple[int, Any]] = []
    over = threading.Event()

    def write() -> None:
        left = 10
        while left:
            left -= over.is_set()
            answers.append(console.ask("POST", EVENTS, {"level": 3, "text": "meanwhile"}))

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join(60)


def test_the_contract_of_1_1_0_asks_for_what_1_0_0_does_not_write(
    schema: Schema, start: Start
) -> None:
    schema.up_to("1.1.0", without=("contract",))
    old, new = start("1.0.0"), start("1.1.0")
    serves(old, new)
    schema.apply("0006_severity_required")
    assert old.ask("POST", EVENTS, {"level": 1, "text": "x"})[0] == 500
    assert old.ask("GET", f"{EVENTS}/count") == (200, {"count": 1})
    serves(new)


def test_the_first_contract_of_2_0_0_asks_for_what_1_1_0_does_not_write(
    schema: Schema, start: Start
) -> None:
    schema.up_to("2.0.0", without=("contract",))
    old, new = start("1.1.0"), start("2.0.0")
    serves(old, new)
    schema.apply("0010_source_required")
    assert old.ask("POST", EVENTS, {"level": 1, "text": "x"})[0] == 500
    serves(new, old)


def test_text_and_message_are_equal_whoever_writes_which(
    schema: Schema, postgres: Database
) -> None:
    schema.up_to("1.1.0")
    write = "INSERT INTO events (key, level, severity, {}) VALUES (gen_random_uuid(), 1, 'low', %s)"
    postgres.execute(write.format("text"), "long ago")
    schema.apply("0007_message")
    postgres.execute(write.format("text"), "by old code")
    postgres.execute(write.format("message"), "by new code")

    def rows() -> list[tuple[object, ...]]:
        return postgres.execute("SELECT text, message FROM events ORDER BY id")

    both = [("by old code",) * 2, ("by new code",) * 2]
    assert rows() == [("long ago", None), *both]
    schema.apply("0008_message_backfill")
    assert rows() == [("long ago",) * 2, *both]
    postgres.execute("UPDATE events SET text = text || ', text changed' WHERE id < 3")
    postgres.execute("UPDATE events SET message = message || ', message changed' WHERE id > 1")
    assert rows() == [
        ("long ago, text changed",) * 2,
        ("by old code, text changed, message changed",) * 2,
        ("by new code, message changed",) * 2,
    ]


def test_old_code_changing_a_row_that_is_not_filled_yet_fills_it(
    schema: Schema, postgres: Database
) -> None:
    schema.up_to("1.1.0")
    postgres.execute("INSERT INTO events (key, level, severity, text)"
                     " VALUES (gen_random_uuid(), 1, 'low', 'before')")  # fmt: skip
    schema.apply("0007_message")
    postgres.execute("UPDATE events SET level = 2")
    assert postgres.execute("SELECT text, message FROM events") == [("before", "before")]


def test_after_a_rollback_to_1_1_0_its_clients_find_what_2_0_0_wrote(
    schema: Schema, start: Start
) -> None:
    schema.up_to("1.1.0")
    first = start("1.1.0")
    texts = [first.add(1, "before")["text"]]
    schema.apply(*schema.of("2.0.0", "expand", "backfill", "enforce"))
    new = start("2.0.0")
    texts.append(new.add(2, "by 2.0.0")["text"])
    status, _ = new.ask("POST", NEWER, {"level": 7, "message": "by API v2", "source": "meter"})
    assert status == 201
    first.process.terminate()
    again = start("1.1.0")
    again.wait_until("/health/ready", 200)
    texts += ["by API v2", again.add(3, "after")["text"]]
    found = again.ask("GET", EVENTS)[1]["events"]
    assert [event["text"] for event in reversed(found)] == texts


@pytest.fixture
def newest(postgres: Database, start: Start) -> Console:
    revisions = atlas_lineage("2.0.0").revisions
    migrate(postgres, tuple(each.id for each in revisions if each.phase != "backfill"))
    console = start("2.0.0")
    console.wait_until("/health/ready", 200)
    return console


def test_2_0_0_answers_both_versions_of_the_api(newest: Console) -> None:
    old = newest.add(6, "for old clients")
    assert {"text", "severity"} <= old.keys()
    assert not {"message", "source"} & old.keys()
    body = {"level": 1, "message": "for new clients", "source": "meter"}
    status, new = newest.ask("POST", NEWER, body)
    assert status == 201
    assert (new["message"], new["source"], new["severity"]) == ("for new clients", "meter", "low")
    assert newest.ask("GET", f"{EVENTS}/by-key/{new['key']}")[1]["text"] == "for new clients"
    seen = newest.ask("GET", f"{NEWER}/by-key/{old['key']}")[1]
    assert (seen["message"], seen["source"]) == ("for old clients", "unknown")
    assert newest.ask("GET", f"{NEWER}?source=meter") == (200, {"events": [new]})
    assert newest.ask("GET", f"{EVENTS}?severity=high") == (200, {"events": [old]})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (EVENTS, {"level": 1, "message": "x"}),
        (EVENTS, {"level": 1, "text": "x", "source": "meter"}),
        (NEWER, {"level": 1, "text": "x"}),
        (NEWER, {"level": 1, "message": "x", "source": ""}),
        (NEWER, {"level": 1, "message": "x", "source": "s" * 101}),
    ],
)
def test_each_version_of_the_api_refuses_the_words_of_the_other(
    path: str, body: object, newest: Console
) -> None:
    status, document = newest.ask("POST", path, body)
    assert (status, list(document)) == (400, ["error"])


def test_2_1_0_never_becomes_ready_and_says_why(newest: Console, start: Start) -> None:
    broken = start("2.1.0")
    answered, document = broken.ask("GET", "/health/ready")
    assert (answered, document["ready"]) == (503, False)
    assert "column events.region does not exist" in document["cause"]
    assert broken.ask("GET", "/health/live") == (200, {"live": True})
    assert broken.ask("GET", "/version") == (200, {"version": "2.1.0"})
    serves(newest)


def run_job(
    module: str, version: str, database: Database, folder: Path, **more: str
) -> subprocess.CompletedProcess[str]:
    lay_out(version, folder / "console")
    return subprocess.run(
        [sys.executable, "-m", f"console.{module}"],
        cwd=folder, env=environment_of(folder, database, **more),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_the_job_before_the_roll_counts_rows_and_refuses_unfilled_ones(
    schema: Schema, postgres: Database, tmp_path: Path
) -> None:
    schema.up_to("1.1.0")
    postgres.execute("INSERT INTO events (key, level, severity, text)"
                     " VALUES (gen_random_uuid(), 1, 'low', 'before')")  # fmt: skip
    schema.apply("0007_message")
    done = run_job("rows", "2.0.0", postgres, tmp_path / "one")
    assert (done.returncode, done.stdout) == (
        1, '{"version": "2.0.0", "events": 1, "unfilled": 1}\n',
    )  # fmt: skip
    schema.apply("0008_message_backfill")
    done = run_job("rows", "2.0.0", postgres, tmp_path / "two")
    assert (done.returncode, done.stdout) == (
        0, '{"version": "2.0.0", "events": 1, "unfilled": 0}\n',
    )  # fmt: skip


@pytest.mark.parametrize(("version", "status"), [("2.0.0", 0), ("1.1.0", 1)])
def test_the_job_after_the_roll_wants_console_to_answer_as_its_own_release(
    version: str, status: int, newest: Console, postgres: Database, tmp_path: Path
) -> None:
    place = {"CONSOLE_HOST": "127.0.0.1", "CONSOLE_PORT": str(newest.port)}
    done = run_job("smoke", version, postgres, tmp_path / "job", **place)
    assert done.returncode == status, done.stderr
    assert '"version": "2.0.0"' in done.stdout
