"""The check of the lock against a real ledger and real processes."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from s1ctl.ledger.holder import Holder, own_holder
from s1ctl.ledger.ledger import Ledger, open_ledger
from s1ctl.preflight.finding import Finding
from s1ctl.preflight.state import collectors
from s1ctl.shape import changed
from tests.support.ledgers import NOW, PLAN
from tests.support.preflight import findings_of, make_needs

pytestmark = pytest.mark.integration


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path / "state") as opened:
        yield opened


def check(ledger: Ledger, *, operation: str | None = None) -> Finding:
    found = findings_of(collectors(ledger), make_needs(operation=operation), "state.lock")
    return found["state.lock"]


def seen(finding: Finding) -> str:
    assert finding.observed is not None
    return finding.observed.text


def hold(ledger: Ledger, holder: Holder) -> int:
    return ledger.lock.acquire(
        operation="op-1", holder=holder, plan="sha256:0", message="upgrade", at=NOW,
        is_alive=lambda _: True,
    )  # fmt: skip


@contextmanager
def process() -> Iterator[Holder]:
    """Run a process that could hold the lock, and end it with the block."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        yield changed(own_holder("nora"), pid=child.pid, pid_started=None)
    finally:
        child.communicate(b"\n", timeout=30)


def test_a_free_site_passes(ledger: Ledger) -> None:
    assert check(ledger).outcome == "pass"


def test_a_lock_of_a_live_process_fails_and_names_it(ledger: Ledger) -> None:
    with process() as holder:
        hold(ledger, holder)
        found = check(ledger)
        assert found.outcome == "fail"
        assert f"nora on {holder.host}, pid {holder.pid}" in seen(found)
        assert found.fix is not None
        assert found.fix.command == "s1ctl lock show"


def test_a_lock_of_a_dead_process_does_not_hold_the_site(ledger: Ledger) -> None:
    with process() as holder:
        hold(ledger, holder)
    assert check(ledger).outcome == "pass"


def test_a_lock_from_before_a_reboot_does_not_hold_the_site(ledger: Ledger) -> None:
    hold(ledger, changed(own_holder("nora"), boot_id="another"))
    assert check(ledger).outcome == "pass"


def test_a_dead_process_with_an_unfinished_operation_fails_with_resume(ledger: Ledger) -> None:
    with process() as holder:
        fence = hold(ledger, holder)
        operation = ledger.operations.open(PLAN, fence=fence, at=NOW)
    found = check(ledger)
    assert found.outcome == "fail"
    assert operation.id in seen(found)
    assert found.fix is not None
    assert found.fix.command == "s1ctl resume"


def test_the_operation_that_asks_may_hold_the_site_itself(ledger: Ledger) -> None:
    fence = hold(ledger, own_holder("nora"))
    operation = ledger.operations.open(PLAN, fence=fence, at=NOW)
    held = ledger.lock.holder()
    assert held is not None
    assert held.operation == operation.id
    assert check(ledger, operation=operation.id).outcome == "pass"


def test_the_ledger_is_only_read(ledger: Ledger, tmp_path: Path) -> None:
    hold(ledger, own_holder("nora"))
    before = {path: path.read_bytes() for path in (tmp_path / "state").glob("ledger.db*")}
    check(ledger)
    after = {path: path.read_bytes() for path in (tmp_path / "state").glob("ledger.db*")}
    assert {p.name: after[p] for p in after if p.suffix == ".db"} == {
        p.name: before[p] for p in before if p.suffix == ".db"
    }
    assert [len(after[p]) for p in after if p.name.endswith("-wal")] == [
        len(before[p]) for p in before if p.name.endswith("-wal")
    ]


def test_a_damaged_ledger_is_unknown_and_not_good(ledger: Ledger, tmp_path: Path) -> None:
    ledger.close()
    for path in (tmp_path / "state").glob("ledger.db*"):
        path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    found = check(ledger)
    assert found.outcome == "error"
