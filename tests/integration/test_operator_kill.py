"""`kill -9` at chosen points of a real upgrade, then `resume`; and again, then `rollback`.

Real engine, registry, database and command line; the end is compared with an undisturbed run's.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from s1ctl.operation.events import Event
from tests.support.cases import CASES, Case, outcome_of
from tests.support.forked import At
from tests.support.kiosk import FIRST, SECOND, Opened

pytestmark = pytest.mark.integration
UPGRADE = ("upgrade", "--to", SECOND, "--yes")
WAIT_S = 30


def begun(step: str, text: str = "") -> Callable[[Event], bool]:
    return lambda e: (e.event, e.step) == ("intent", step) and text in e.text


def in_progress(text: str, unit: str = "steps") -> Callable[[Event], bool]:
    return lambda e: (e.event, e.unit) == ("progress", unit) and text in e.text


def killed(this: Callable[[Event], bool]) -> At:
    return At(this=this, signals=(signal.SIGKILL,))


@dataclass(frozen=True, kw_only=True)
class Point:
    """A row of the table, and what kills the process there."""

    case: Case
    at: Callable[[Opened], At]


POINTS = (
    Point(
        case=CASES["killed-in-the-pull"],
        at=lambda _: killed(in_progress("/web@", "bytes")),
    ),
    Point(
        case=CASES["killed-before-the-point"],
        at=lambda _: killed(begun("record-point")),
    ),
    Point(
        case=CASES["killed-after-the-point"],
        at=lambda _: killed(lambda e: (e.event, e.step) == ("done", "record-point")),
    ),
    Point(
        case=CASES["killed-in-an-expand"],
        at=lambda opened: At(this=begun("apply-revision", "expand"), act=lambda: asleep(opened)),
    ),
    Point(
        case=CASES["killed-in-a-backfill"],
        at=lambda _: killed(in_progress("console 0003", "rows")),
    ),
    Point(
        case=CASES["killed-before-the-switch"],
        at=lambda _: killed(in_progress("move the traffic of `web`")),
    ),
    Point(
        case=CASES["killed-before-the-former-stops"],
        at=lambda _: killed(in_progress(f"-web-{FIRST}-1a`")),
    ),
    Point(
        case=CASES["killed-in-an-edge"],
        at=lambda opened: killed(in_progress(f"stop `{opened.site.name}-edge-{FIRST}-1a")),
    ),
    Point(
        case=CASES["killed-before-the-record"],
        at=lambda _: killed(begun("record-release")),
    ),
)


def asleep(opened: Opened) -> None:
    """Die as soon as the worker's statement is seen to run; never where it is not."""
    threading.Thread(target=_die_while_it_runs, args=(opened,), daemon=True).start()


def _die_while_it_runs(opened: Opened) -> None:
    assert opened.database is not None
    asked = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(0.3)'"
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        if opened.database.one(asked):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.02)


@dataclass(frozen=True, kw_only=True)
class Undisturbed:
    """How everything stands before the upgrade, and after one that nobody disturbed."""

    before: dict[str, Any]
    rows_before: Any
    after: dict[str, Any]
    containers_after: dict[str, Any]
    rows_after: Any


@pytest.fixture(scope="module")
def undisturbed(filled_kiosk: Opened) -> Undisturbed:
    opened = filled_kiosk
    before, rows_before = opened.stand(), opened.rows()
    opened.site(*UPGRADE)
    made = Undisturbed(
        before=before,
        rows_before=rows_before,
        after=opened.stand(),
        containers_after=opened.containers(),
        rows_after=opened.rows(),
    )
    opened.put_back()
    assert opened.stand() == before
    return made


@pytest.fixture
def opened(filled_kiosk: Opened, undisturbed: Undisturbed) -> Iterator[Opened]:
    """The site at its first release."""
    assert undisturbed
    yield filled_kiosk
    filled_kiosk.put_back()


def answers(opened: Opened) -> bool:
    return opened.site.ask() in (FIRST, SECOND)


def test_killed_at_one_point_after_the_other_it_is_resumed_to_the_end_of_an_undisturbed_run(
    opened: Opened, undisturbed: Undisturbed
) -> None:
    """Each resume but the last is killed at the next point."""
    words = UPGRADE
    opened.forget_image(SECOND)
    for point in POINTS:
        ended = opened.site.run(*words, at=(point.at(opened),))
        assert ended.status == -signal.SIGKILL, f"{point.case.id}:\n{ended}"
        assert answers(opened), point.case.id
        status = opened.site("status")
        assert "not finished" in status
        assert "`s1ctl resume` to go on, or `s1ctl rollback` to take it back" in status
        words = ("resume",)
    refused = opened.site.data(*UPGRADE, expected=21)
    assert refused["error"]["code"] == "S1-L03"
    ended = opened.site.data("resume")
    assert (ended["state"], ended["version"]) == ("done", SECOND)
    assert {outcome_of(ended["exit"], ended)} == {point.case.outcome for point in POINTS}
    assert opened.stand() == undisturbed.after
    assert opened.containers() == undisturbed.containers_after
    assert opened.rows() == undisturbed.rows_after
    assert "every entry that is there is as it was written" in opened.site("history", "--verify")
    opened.site("rollback", "--yes")
    assert opened.stand() == undisturbed.before
    assert opened.rows() == undisturbed.rows_after


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.case.id)
def test_killed_it_is_taken_back_and_everything_is_as_before(
    opened: Opened, undisturbed: Undisturbed, point: Point
) -> None:
    if point is POINTS[0]:
        opened.forget_image(SECOND)
    ended = opened.site.run(*UPGRADE, at=(point.at(opened),))
    assert ended.status == -signal.SIGKILL, ended
    assert answers(opened)
    back = opened.site.data("rollback", "--yes")
    assert (back["state"], back["version"]) == ("taken-back", FIRST)
    assert outcome_of(back["exit"], back) == point.case.outcome
    assert opened.stand() == undisturbed.before
    rows = opened.rows()["rows"]
    assert [row[:2] for row in rows] == undisturbed.rows_before["rows"]
    assert opened.site.data("lock", "show") == {"held": None}
