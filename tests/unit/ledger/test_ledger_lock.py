"""The site's lock, and who still lives."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from s1ctl.errors import SiteHeld, UsageError
from s1ctl.ledger.holder import Holder, is_alive, is_pid_there, lives, own_holder
from s1ctl.ledger.ledger import Ledger
from tests.support.ledgers import NOW

ANNE = Holder(who="anne", host="a", pid=7, pid_started=100, boot_id="boot")
BOB = Holder(who="bob", host="a", pid=8, pid_started=200, boot_id="boot")


def acquire(ledger: Ledger, operation: str = "op-1", holder: Holder = ANNE, **changes: Any) -> int:
    fields = {
        "plan": "sha256:1",
        "message": "upgrade to 2.0.0",
        "at": NOW,
        "is_alive": lambda _: True,
        **changes,
    }
    return ledger.lock.acquire(operation=operation, holder=holder, **fields)


def test_a_free_lock_is_taken(ledger: Ledger) -> None:
    fence = acquire(ledger)
    held = ledger.lock.holder()
    assert held
    assert (held.operation, held.holder, held.fence, held.since) == ("op-1", ANNE, fence, NOW)
    ledger.lock.check(fence)


def test_a_held_lock_says_who_holds_it_since_when(ledger: Ledger) -> None:
    acquire(ledger)
    with pytest.raises(SiteHeld) as caught:
        acquire(ledger, "op-2", BOB)
    assert caught.value.code == "S1-L01"
    for word in ("op-1", "anne", "process 7", "2026-01-02 03:04:05", "upgrade to 2.0.0"):
        assert word in caught.value.message


def test_another_live_process_of_the_same_operation_is_refused(ledger: Ledger) -> None:
    acquire(ledger)
    with pytest.raises(SiteHeld):
        acquire(ledger, holder=BOB)


def test_the_same_process_may_ask_twice(ledger: Ledger) -> None:
    assert acquire(ledger) == acquire(ledger)


def test_the_same_process_does_not_get_it_for_another_operation(ledger: Ledger) -> None:
    acquire(ledger)
    with pytest.raises(SiteHeld):
        acquire(ledger, "op-2")


def test_a_dead_holder_is_replaced_and_its_number_no_longer_counts(ledger: Ledger) -> None:
    former = acquire(ledger)
    fence = acquire(ledger, "op-1", BOB, is_alive=lambda holder: holder != ANNE)
    assert fence > former
    ledger.lock.check(fence)
    with pytest.raises(SiteHeld) as caught:
        ledger.lock.check(former)
    assert caught.value.code == "S1-L02"


def test_the_number_grows_with_every_acquisition(ledger: Ledger) -> None:
    numbers = []
    for _ in range(3):
        numbers.append(acquire(ledger))
        ledger.lock.release("op-1")
    assert numbers == sorted(set(numbers))


def test_a_released_lock_is_held_by_nobody(ledger: Ledger) -> None:
    fence = acquire(ledger)
    ledger.lock.release("op-1")
    assert ledger.lock.holder() is None
    with pytest.raises(SiteHeld):
        ledger.lock.check(fence)


def test_an_operation_releases_only_its_own_lock(ledger: Ledger) -> None:
    ledger.lock.release("op-1")
    fence = acquire(ledger)
    ledger.lock.release("op-2")
    ledger.lock.check(fence)


def test_a_broken_lock_is_free_and_the_reason_is_kept(ledger: Ledger) -> None:
    fence = acquire(ledger)
    held = ledger.lock.break_("anne's host burnt down", at=NOW)
    assert held.holder == ANNE
    with pytest.raises(SiteHeld):
        ledger.lock.check(fence)
    assert [(one.held, one.reason, one.at) for one in ledger.lock.breaks()] == [
        (held, "anne's host burnt down", NOW)
    ]
    assert acquire(ledger, "op-2", BOB) > fence


def test_a_free_lock_is_not_broken(ledger: Ledger) -> None:
    with pytest.raises(UsageError):
        ledger.lock.break_("why not", at=NOW)
    acquire(ledger)
    ledger.lock.release("op-1")
    with pytest.raises(UsageError) as caught:
        ledger.lock.break_("why not", at=NOW)
    assert caught.value.code == "S1-U14"
    assert ledger.lock.breaks() == ()


def test_of_many_that_ask_at_once_one_gets_it(ledger: Ledger) -> None:
    def ask(number: int) -> int | None:
        try:
            return acquire(ledger, f"op-{number}", msgspec.structs.replace(ANNE, pid=number))
        except SiteHeld:
            return None

    with ThreadPoolExecutor(6) as pool:
        got = [fence for fence in pool.map(ask, range(12)) if fence is not None]
    assert got == [1]


@pytest.mark.parametrize(
    ("host", "boot", "is_there", "expected"),
    [
        ("a", "boot", True, True),
        ("a", "boot", False, False),
        ("a", "other boot", True, False),
        ("b", "boot", False, True),
        ("b", "other boot", False, True),
    ],
)
def test_a_holder_is_dead_only_where_that_can_be_seen(
    *, host: str, boot: str, is_there: bool, expected: bool
) -> None:
    asked = []

    def pid_exists(pid: int, started: int | None) -> bool:
        asked.append((pid, started))
        return is_there

    assert is_alive(ANNE, host=host, boot_id=boot, pid_exists=pid_exists) is expected
    assert set(asked) <= {(7, 100)}


def test_this_process_lives() -> None:
    holder = own_holder("me")
    assert (holder.who, holder.pid) == ("me", os.getpid())
    assert holder.pid_started is not None
    assert lives(holder)


def test_a_later_process_with_the_same_number_is_another() -> None:
    holder = own_holder("me")
    assert holder.pid_started
    assert not lives(msgspec.structs.replace(holder, pid_started=holder.pid_started - 1))


def test_a_process_that_ended_is_not_there_though_nobody_has_waited_for_it() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as child:
        assert child.stdout
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_pid_there(child.pid, None)
    assert not is_pid_there(child.pid, None)
