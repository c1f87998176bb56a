"""What a restore takes away is announced, accepted, and compared with what really went."""

from pathlib import Path

import pytest

from s1ctl.cli import outcome as words
from s1ctl.cli.restoring import describe, refusal
from s1ctl.errors import StepFailed
from s1ctl.operation.action import Action, Record
from s1ctl.operation.backups import Announcement
from s1ctl.operation.operate import apply_plan, resume
from s1ctl.operation.run import Item, Run
from s1ctl.plan.presence import Presence
from s1ctl.plan.steps import RestoreBackup
from s1ctl.progress import Notify
from s1ctl.shape import changed, plain
from tests.support.turns import install_middle, restoring
from tests.support.worlds import World, make_world

ANNOUNCED = Announcement(
    database="main",
    backup="b0001",
    taken_at="2026-03-01T02:03:04+00:00",
    minutes=12,
    rows={"public.events": 12},
    live={"public.events": 40},
    kept={"public.events": 28},
)


class RestoringWorld(World):
    """A world in which a restore says what it took."""

    def action(self, item: Item, run: Run) -> Action:
        if not isinstance(item.step, RestoreBackup):
            return super().action(item, run)

        def do(_: Notify) -> Record:
            self._fault(self.faults.get(str(item.number)))
            return {"lost": {"public.events": 14}}

        return Action(probe=lambda: Presence.ABSENT, do=do)


@pytest.fixture
def world(tmp_path: Path) -> RestoringWorld:
    made = RestoringWorld(ledger=make_world(tmp_path).ledger)
    install_middle(made.ledger)
    return made


def test_the_journal_and_the_outcome_say_announced_and_actual_loss(world: RestoringWorld) -> None:
    announced = plain({"main": ANNOUNCED})
    outcome = apply_plan(world.context(), restoring(), actions=world.action, announced=announced)
    assert outcome.loss is not None
    assert outcome.loss.announced == announced
    assert outcome.loss.actual == {"main": {"public.events": 14}}
    entries = world.ledger.operations.entries(outcome.operation)
    assert entries[0].step == {"number": 0, "kind": "announce"}
    assert entries[0].record == announced
    assert entries[-1].record["loss"] == plain(outcome.loss)  # type: ignore[index]
    assert world.ledger.operations.verify_chain() is None
    log = Path("/log")
    lines = words.describe(outcome, 0, log=log)
    assert lines[1:3] == [
        "lost in main: 14 rows, 12 were announced",
        "  public.events: 14, 12 announced",
    ]
    assert words.document(outcome, 0, log=log)["loss"] == plain(outcome.loss)


def test_what_was_announced_is_known_after_a_pause_too(world: RestoringWorld) -> None:
    number = str(3 + [type(s).__name__ for s in restoring().hops[0].steps].index("RestoreBackup"))
    world.faults[number] = KeyboardInterrupt
    announced = plain({"main": ANNOUNCED})
    paused = apply_plan(world.context(), restoring(), actions=world.action, announced=announced)
    assert paused.state == "paused"
    assert "nothing was restored, so nothing is lost" in words.describe(
        paused, 130, log=Path("/log")
    )
    world.faults.clear()
    operation = world.ledger.operations.unfinished()
    assert operation is not None
    done = resume(world.context(), operation, actions=world.action)
    assert done.loss is not None
    assert done.loss.actual == {"main": {"public.events": 14}}


def test_other_operations_have_no_loss(world: RestoringWorld) -> None:
    number = str(3 + [type(s).__name__ for s in restoring().hops[0].steps].index("RestoreBackup"))
    world.faults[number] = StepFailed("it broke", code="S1-X01", hint="mend it")
    assert apply_plan(world.context(), restoring(), actions=world.action).loss is None


def test_the_price_is_told_with_its_numbers() -> None:
    backup = "backup b0001 was taken 12 min ago, at 2026-03-01T02:03:04+00:00"
    assert describe(ANNOUNCED) == [
        f"would be lost in main: 12 rows; {backup}",
        "  public.events: 12",
    ]
    refused = refusal([ANNOUNCED])
    assert refused.code == "S1-U155"
    assert "12 rows of `main`, the writes of 12 min" in refused.message
    assert "`--accept-data-loss`" in refused.hint


def test_a_restore_that_loses_nothing_says_so() -> None:
    (line,) = describe(changed(ANNOUNCED, rows={}))
    assert line.startswith("would be lost in main: no row; backup b0001")
