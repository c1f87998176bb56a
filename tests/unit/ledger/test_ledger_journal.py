"""Operations and the chain of the journal."""

import os
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from s1ctl.errors import InputOutputFailed, SiteHeld
from s1ctl.ledger.journal import FIRST, JournalEntry
from s1ctl.ledger.ledger import Ledger, open_ledger
from tests.support.ledgers import NOW, PLAN


def append(ledger: Ledger, operation: str, step: object = "0", **changes: Any) -> JournalEntry:
    fields = {"direction": "do", "event": "intent", "at": NOW, **changes}
    return ledger.operations.append(operation=operation, step=step, **fields)


@pytest.fixture
def journal(ledger: Ledger) -> Ledger:
    """Two operations with five entries."""
    first = ledger.operations.open(PLAN, fence=1, at=NOW).id
    append(ledger, first)
    append(ledger, first, event="done", record={"container": "web-1", "ms": 1.5})
    ledger.operations.set_state(first, "done")
    second = ledger.operations.open(PLAN, fence=2, at=NOW).id
    append(ledger, second, "1")
    append(ledger, second, "1", event="failed", error={"code": "S1-O01"})
    append(ledger, second, "1", direction="undo")
    return ledger


def test_an_operation_is_read_back_as_it_was_opened(ledger: Ledger) -> None:
    name = ledger.operations.next_id()
    opened = ledger.operations.open(PLAN, fence=3, at=NOW)
    assert opened == ledger.operations.find(name) == ledger.operations.unfinished()
    assert (opened.id, opened.plan, opened.direction, opened.state) == (name, PLAN, "do", "open")
    assert opened.plan.digest == PLAN.digest
    assert opened.opened_at == NOW


def test_a_second_operation_is_refused_while_one_is_unfinished(ledger: Ledger) -> None:
    first = ledger.operations.open(PLAN, fence=1, at=NOW)
    for state in ("open", "paused"):
        ledger.operations.set_state(first.id, state)
        with pytest.raises(SiteHeld) as caught:
            ledger.operations.open(PLAN, fence=2, at=NOW)
        assert caught.value.code == "S1-L03"
    for state in ("done", "failed", "taken-back"):
        ledger.operations.set_state(first.id, state)
        assert ledger.operations.unfinished() is None


def test_state_cause_and_direction_are_remembered(ledger: Ledger) -> None:
    name = ledger.operations.open(PLAN, fence=1, at=NOW).id
    ledger.operations.set_direction(name, "undo")
    ledger.operations.set_state(name, "paused", {"code": "S1-O01"})
    found = ledger.operations.find(name)
    assert found
    assert (found.direction, found.state, found.cause) == ("undo", "paused", {"code": "S1-O01"})


def test_an_unknown_operation_is_not_changed(ledger: Ledger) -> None:
    with pytest.raises(KeyError):
        ledger.operations.set_state("op-9", "done")
    with pytest.raises(KeyError):
        ledger.operations.set_direction("op-9", "undo")


def test_history_is_newest_first_and_limited(journal: Ledger) -> None:
    assert [one.id for one in journal.operations.history()] == ["op-2", "op-1"]
    assert [one.id for one in journal.operations.history(1)] == ["op-2"]


def test_entries_are_read_back_in_order_with_numbers_of_the_whole_ledger(journal: Ledger) -> None:
    assert [entry.number for entry in journal.operations.entries("op-1")] == [1, 2]
    assert [entry.number for entry in journal.operations.entries("op-2")] == [3, 4, 5]
    done = journal.operations.entries("op-1")[1]
    assert (done.record, done.error, done.at) == ({"container": "web-1", "ms": 1.5}, None, NOW)


def test_each_entry_holds_the_hash_of_the_one_before(journal: Ledger) -> None:
    entries = [*journal.operations.entries("op-1"), *journal.operations.entries("op-2")]
    assert [entry.previous for entry in entries] == [FIRST, *(e.hash for e in entries[:-1])]
    assert journal.operations.head() == entries[-1].hash


def test_an_entry_is_the_same_when_it_is_read_again(ledger: Ledger) -> None:
    name = ledger.operations.open(PLAN, fence=1, at=NOW).id
    step = PLAN.hops[0].steps[0]
    entry = append(ledger, name, step, record={"log": "caf\udce9", "list": [1, None, True]})
    assert ledger.operations.entries(name) == (entry,)
    assert entry.step["kind"] == "roll"


def test_a_time_in_another_zone_is_the_same_time(ledger: Ledger) -> None:
    name = ledger.operations.open(PLAN, fence=1, at=NOW).id
    append(ledger, name, at=NOW.astimezone(timezone(timedelta(hours=5))))
    assert ledger.operations.entries(name)[0].at == NOW
    assert ledger.operations.verify_chain() is None


def test_a_time_without_zone_is_a_bug(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="without zone"):
        ledger.operations.open(PLAN, fence=1, at=datetime(2026, 1, 1))  # noqa: DTZ001


def test_an_entry_belongs_to_an_operation(ledger: Ledger) -> None:
    with pytest.raises(InputOutputFailed):
        append(ledger, "op-1")


def test_an_untouched_chain_holds(journal: Ledger) -> None:
    assert journal.operations.verify_chain() is None


def test_an_empty_journal_has_the_first_head(ledger: Ledger) -> None:
    assert ledger.operations.head() == FIRST
    assert ledger.operations.verify_chain() is None


@pytest.mark.parametrize(
    "change",
    [
        "step = '\"9\"'",
        "direction = 'undo'",
        "event = 'failed'",
        "record = '{}'",
        "record = NULL",
        "error = '{}'",
        "at = '2026-01-02T03:04:06.000000+00:00'",
        "operation = 'op-2'",
        "previous = hash",
        "hash = previous",
    ],
)
def test_a_changed_entry_is_found(journal: Ledger, state: Path, change: str) -> None:
    run_sql(state, f"UPDATE journal SET {change} WHERE number = 2")
    assert journal.operations.verify_chain() == 2


@pytest.mark.parametrize(("removed", "found"), [(1, 1), (2, 2), (4, 4)])
def test_a_removed_entry_is_found(journal: Ledger, state: Path, removed: int, found: int) -> None:
    run_sql(state, f"DELETE FROM journal WHERE number = {removed}")
    assert journal.operations.verify_chain() == found


def test_a_removed_entry_is_found_though_the_others_moved_up(journal: Ledger, state: Path) -> None:
    run_sql(state, "DELETE FROM journal WHERE number = 2")
    for number in (3, 4, 5):
        run_sql(state, f"UPDATE journal SET number = {number - 1} WHERE number = {number}")
    assert journal.operations.verify_chain() == 2


def test_entries_that_changed_places_are_found(journal: Ledger, state: Path) -> None:
    for former, number in ((3, 99), (4, 3), (99, 4)):
        run_sql(state, f"UPDATE journal SET number = {number} WHERE number = {former}")
    assert journal.operations.verify_chain() == 3


def test_an_entry_changed_together_with_its_hash_is_found_by_the_next(
    journal: Ledger, state: Path
) -> None:
    run_sql(state, "UPDATE journal SET step = '\"9\"' WHERE number = 2")
    forged = journal.operations.entries("op-1")[1].hash
    run_sql(state, f"UPDATE journal SET hash = '{forged}' WHERE number = 2")
    assert journal.operations.verify_chain() == 3


def test_a_head_kept_elsewhere_tells_of_entries_cut_off(journal: Ledger, state: Path) -> None:
    head = journal.operations.head()
    assert journal.operations.has_hash(head)
    run_sql(state, "DELETE FROM journal WHERE number = 5")
    assert journal.operations.verify_chain() is None
    assert not journal.operations.has_hash(head)


def test_a_damaged_row_is_refused(journal: Ledger, state: Path) -> None:
    run_sql(state, "UPDATE journal SET record = '{\"a\":' WHERE number = 2")
    with pytest.raises(InputOutputFailed) as caught:
        journal.operations.entries("op-1")
    assert caught.value.code == "S1-I23"


@pytest.mark.parametrize(
    ("former", "latter"), [('"kind":"roll"', '"kind":"teleport"'), ('"v":1', '"v":2')]
)
def test_a_step_of_a_newer_s1ctl_is_not_guessed(
    journal: Ledger, state: Path, former: str, latter: str
) -> None:
    run_sql(state, f"UPDATE operations SET plan = replace(plan, '{former}', '{latter}')")
    with pytest.raises(InputOutputFailed) as caught:
        journal.operations.unfinished()
    assert caught.value.code == "S1-I26"


def test_numbers_have_no_gaps_when_several_write(journal: Ledger) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: append(journal, "op-2", i), range(40)))
    numbers = [entry.number for entry in journal.operations.entries("op-2")]
    assert numbers == list(range(3, 46))
    assert journal.operations.verify_chain() is None


def test_an_entry_is_on_disk_before_append_returns(state: Path) -> None:
    child = os.fork()
    if not child:
        ledger = open_ledger(state)
        append(ledger, ledger.operations.open(PLAN, fence=1, at=NOW).id)
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    with open_ledger(state) as ledger:
        assert [entry.event for entry in ledger.operations.entries("op-1")] == ["intent"]


def run_sql(state: Path, sql: str) -> None:
    with closing(sqlite3.connect(state / "ledger.db")) as database, database:
        database.execute(sql)
