"""The loop: order, journal, taking back, resuming; killed at every moment it ends the same."""

import os
import signal
from pathlib import Path

import pytest

from s1ctl.errors import Inconclusive, SiteHeld, StepFailed
from s1ctl.operation.interrupt import Interrupts
from s1ctl.operation.operate import apply_plan, list_take_back, resume, take_back
from s1ctl.operation.outcome import Outcome
from s1ctl.plan.plan import Plan
from tests.support.plans import install, install_first, number_of, upgrade
from tests.support.worlds import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def run(world: World, plan: Plan) -> Outcome:
    if plan.start is not None and world.ledger.releases.installed() is None:
        install_first(world.ledger)
    return apply_plan(world.context(), plan, actions=world.action)


def test_every_step_is_done_once_in_order_with_its_intent_recorded_first(world: World) -> None:
    outcome = run(world, install())
    assert outcome.state == "done"
    assert outcome.version == "1.0.0"
    entries = world.ledger.operations.entries(outcome.operation)
    told = [(e.step["number"], e.event) for e in entries]
    steps = len(install().stage) + len(install().hops[0].steps)
    assert told == [(n, e) for n in range(1, steps + 1) for e in ("intent", "done")] + [(0, "done")]
    assert world.ledger.operations.verify_chain() is None
    assert world.ledger.operations.head() == outcome.head


def test_a_step_whose_effect_is_there_is_not_done_again(world: World) -> None:
    pull = number_of(install(), "PullImages")
    world.effects.append(pull)
    outcome = run(world, install())
    entries = world.ledger.operations.entries(outcome.operation)
    assert [e.event for e in entries if str(e.step["number"]) == pull] == ["done"]


def test_a_failing_step_takes_its_hop_back_newest_first(world: World) -> None:
    run(world, install())
    before = list(world.effects)
    plan = upgrade()
    world.faults[number_of(plan, "Roll", which=1)] = failure()
    outcome = run(world, plan)
    assert (outcome.state, outcome.version) == ("taken-back", "1.0.0")
    assert outcome.error is not None
    assert outcome.error.code == "S1-X01"
    entries = world.ledger.operations.entries(outcome.operation)
    undone = [e.step["number"] for e in entries if (e.direction, e.event) == ("undo", "done")]
    assert undone == sorted(undone, reverse=True)
    assert number_of(plan, "Roll") not in world.effects
    assert set(before) <= set(world.effects)
    assert world.holder is None


def test_what_the_schema_gained_stays_when_a_hop_is_taken_back(world: World) -> None:
    plan = upgrade()
    world.faults[number_of(plan, "Roll")] = failure()
    run(world, plan)
    assert number_of(plan, "ApplyRevision") in world.effects


def test_an_unknown_probe_pauses_and_undoes_nothing(world: World) -> None:
    plan = upgrade()
    world.unknown.add(number_of(plan, "Roll", which=1))
    outcome = run(world, plan)
    assert outcome.state == "paused"
    assert isinstance(outcome.error, Inconclusive)
    assert outcome.error.code == "S1-O01"
    assert number_of(plan, "Roll") in world.effects


def test_a_paused_operation_holds_the_site_until_it_is_resumed(world: World) -> None:
    plan = upgrade()
    world.unknown.add(number_of(plan, "Roll"))
    paused = run(world, plan)
    with pytest.raises(SiteHeld) as caught:
        run(world, plan)
    assert caught.value.code == "S1-L03"
    assert world.holder == paused.operation
    world.unknown.clear()
    assert again(world).state == "done"
    assert world.holder is None


def test_an_undo_that_fails_pauses_and_resuming_goes_on_backwards(world: World) -> None:
    plan = upgrade()
    world.faults[number_of(plan, "Roll", which=1)] = failure()
    world.undo_faults[number_of(plan, "Roll")] = failure()
    paused = run(world, plan)
    assert paused.state == "paused"
    operation = world.ledger.operations.unfinished()
    assert operation is not None
    assert operation.direction == "undo"
    world.undo_faults.clear()
    assert again(world).state == "taken-back"
    assert number_of(plan, "Roll") not in world.effects


def test_a_failure_after_the_release_is_recorded_pauses_instead_of_going_back(
    world: World,
) -> None:
    plan = upgrade()
    world.faults[number_of(plan, "RecordRelease")] = failure()
    outcome = run(world, plan)
    assert outcome.state == "paused"
    assert isinstance(outcome.error, Inconclusive)
    assert number_of(plan, "Roll") in world.effects


def test_an_interrupt_pauses_and_is_told_as_one(world: World) -> None:
    plan = upgrade()
    world.faults[number_of(plan, "Roll")] = KeyboardInterrupt
    outcome = run(world, plan)
    assert (outcome.state, outcome.is_interrupted, outcome.error) == ("paused", True, None)
    world.faults.clear()
    assert again(world).state == "done"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_a_shielded_block_is_whole(number: signal.Signals) -> None:
    interrupts, done = Interrupts(), []

    def work() -> None:
        with interrupts.installed(), interrupts.shielded():
            os.kill(os.getpid(), number)
            done.append("whole")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["whole"]


def again(world: World) -> Outcome:
    operation = world.ledger.operations.unfinished()
    assert operation is not None
    return resume(world.context(), operation, actions=world.action)


def failure() -> StepFailed:
    return StepFailed("it broke", code="S1-X01", hint="mend it")


def test_what_would_be_taken_back_is_listed_and_nothing_is_done(world: World) -> None:
    run(world, install())
    plan = upgrade()
    world.unknown.add(number_of(plan, "Roll", which=1))
    run(world, plan)
    operation = world.ledger.operations.unfinished()
    assert operation
    before = (list(world.effects), world.ledger.operations.head(), world.ledger.lock.holder())
    items = list_take_back(world.context(), operation, actions=world.action)
    numbers = [item.number for item in items]
    assert numbers
    assert numbers == sorted(numbers, reverse=True)
    assert before == (
        list(world.effects), world.ledger.operations.head(), world.ledger.lock.holder()
    )  # fmt: skip
    world.unknown.clear()
    outcome = take_back(world.context(), operation, actions=world.action)
    entries = world.ledger.operations.entries(outcome.operation)
    undone = [e.step["number"] for e in entries if (e.direction, e.event) == ("undo", "done")]
    assert undone == numbers
