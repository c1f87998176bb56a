"""Killed at every moment, between every effect and its record, the end is always the same."""

from pathlib import Path

import pytest

from s1ctl.operation.operate import apply_plan, resume, take_back
from s1ctl.operation.outcome import Outcome
from s1ctl.plan.plan import Plan
from tests.support.plans import number_of, upgrade
from tests.support.worlds import Killed, Mortal, World, make_world


def run(world: World, plan: Plan) -> Outcome:
    return apply_plan(world.context(), plan, actions=world.action)


def again(world: World) -> Outcome:
    operation = world.ledger.operations.unfinished()
    assert operation is not None
    return resume(world.context(), operation, actions=world.action)


def moments(folder: Path, plan: Plan) -> int:
    world = make_world(folder)
    run(world, plan)
    return world.mortal.passed


def test_killed_at_every_moment_and_resumed_the_end_is_that_of_an_undisturbed_run(
    tmp_path: Path,
) -> None:
    plan = upgrade()
    total = moments(tmp_path / "first", plan)
    undisturbed = make_world(tmp_path / "undisturbed")
    run(undisturbed, plan)
    for at in range(1, total + 1):
        world = make_world(tmp_path / str(at))
        world.mortal = Mortal(at=at)
        with pytest.raises(Killed):
            run(world, plan)
        world.mortal = Mortal()
        if world.ledger.operations.unfinished():
            again(world)
        elif world.ledger.releases.installed() is None:
            run(world, plan)
        assert world.effects == undisturbed.effects, f"killed at moment {at} of {total}"
        assert world.ledger.operations.verify_chain() is None
        assert world.holder is None or world.ledger.operations.unfinished() is None
    print(f"survived {total} of {total} moments")  # noqa: T201 - what the run proves


def test_killed_at_every_moment_and_rolled_back_nothing_of_the_hop_is_left(
    tmp_path: Path,
) -> None:
    plan = upgrade()
    total = moments(tmp_path / "first", plan)
    rolls = {number_of(plan, "Roll", which=0), number_of(plan, "Roll", which=1)}
    for at in range(1, total + 1):
        world = make_world(tmp_path / str(at))
        world.mortal = Mortal(at=at)
        with pytest.raises(Killed):
            run(world, plan)
        world.mortal = Mortal()
        operation = world.ledger.operations.unfinished()
        if operation is None:
            continue
        outcome = take_back(world.context(), operation, actions=world.action)
        assert outcome.state == "taken-back"
        if world.ledger.releases.installed() is None:
            assert not rolls & set(world.effects), f"killed at moment {at}"
        else:
            assert rolls <= set(world.effects), f"killed at moment {at}"
