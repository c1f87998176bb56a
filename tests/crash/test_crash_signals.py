"""Interrupted at every moment, by one signal or several, an operation is paused and goes on."""

import signal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from s1ctl.cli import outcome as words
from s1ctl.operation.execute import numbered
from s1ctl.operation.operate import apply_plan, resume, take_back
from s1ctl.operation.outcome import Outcome
from s1ctl.plan.plan import Plan
from tests.support.plans import install_first, upgrade
from tests.support.turns import TURNS, install_middle
from tests.support.worlds import Mortal, World, make_world

IMPATIENT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


PLANS = {"upgrade": upgrade, **TURNS}


def new_world(folder: Path, plan: Plan) -> World:
    world = make_world(folder)
    (install_first if plan == upgrade() else install_middle)(world.ledger)
    return world


def run(world: World, plan: Plan) -> Outcome:
    context = world.context()
    with context.interrupts.installed():
        return apply_plan(context, plan, actions=world.action)


def interrupted(world: World, plan: Plan, at: int, *signals: signal.Signals) -> Outcome:
    world.mortal = Mortal(at=at, signals=signals)
    outcome = run(world, plan)
    world.mortal = Mortal()
    return outcome


def stand(world: World) -> object:
    installed = world.ledger.releases.installed()
    return world.effects, installed and (installed.digest, installed.settings, installed.point)


def step_of(world: World) -> int:
    """Say which step was the last to be begun."""
    operation = world.ledger.operations.unfinished()
    assert operation is not None
    entries = world.ledger.operations.entries(operation.id)
    return max(int(entry.step["number"]) for entry in entries)


@pytest.mark.parametrize("name", PLANS)
def test_interrupted_at_every_moment_it_says_both_ways_on_and_each_is_gone(name: str) -> None:
    """One signal in turn, then resumed; at every other moment all of them, then taken back.

    Of the longer plans every third moment is tried: each step still has two.
    """
    plan, stride, reached = PLANS[name](), 1 if name == "upgrade" else 3, {0}
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        undisturbed, before = (new_world(Path(folder) / n, plan) for n in ("all", "none"))
        assert run(undisturbed, plan).state == "done"
        pauses = 0
        for at in range(1, undisturbed.mortal.passed + 1, stride):
            world = new_world(Path(folder) / str(at), plan)
            outcome = interrupted(world, plan, at, *(IMPATIENT if at % 2 else (IMPATIENT[at % 3],)))
            assert world.ledger.operations.verify_chain() is None
            if outcome.state == "done":  # it came when nothing was left to be done
                assert stand(world) == stand(undisturbed)
                continue
            pauses += 1
            reached.add(step_of(world))
            assert_both_ways_are_said(outcome)
            operation = world.ledger.operations.unfinished()
            assert operation is not None
            assert operation.state == "paused"
            if at % 2:
                ended = take_back(world.context(), operation, actions=world.action)
                wanted = undisturbed if ended.state == "done" else before
                assert stand(world)[1] == stand(wanted)[1], f"taken back at {at}"
            else:
                resume(world.context(), operation, actions=world.action)
                assert stand(world) == stand(undisturbed), f"resumed at {at}"
        assert pauses >= 3 * sum(len(hop.steps) for hop in plan.hops) // stride
        assert reached == set(range(len(numbered(plan)) + 1))


def assert_both_ways_are_said(outcome: Outcome) -> None:
    assert (outcome.state, outcome.is_interrupted) == ("paused", True)
    assert words.code_of(outcome) == 130
    text = "\n".join(words.describe(outcome, 130, log=Path("log")))
    assert "`s1ctl resume` goes on to " in text
    assert "`s1ctl rollback` takes it back to " in text


def test_interrupted_while_it_is_taken_back_it_is_still_taken_back_by_resume(
    tmp_path: Path,
) -> None:
    plan = upgrade()
    world = new_world(tmp_path, plan)
    first = interrupted(world, plan, 45, signal.SIGINT)
    assert first.state == "paused"
    operation = world.ledger.operations.unfinished()
    assert operation is not None
    world.mortal = Mortal(at=1, signals=(signal.SIGTERM,))
    context = world.context()
    with context.interrupts.installed():
        second = take_back(context, operation, actions=world.action)
    assert (second.state, second.is_interrupted, second.is_turned_back) == ("paused", True, True)
    again = world.ledger.operations.unfinished()
    assert again is not None
    assert resume(world.context(), again, actions=world.action).state == "taken-back"
