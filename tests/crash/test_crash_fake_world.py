"""Killed at every moment, between every effect and its record, the end is always the same."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from s1ctl.errors import StepFailed
from s1ctl.operation.execute import numbered
from s1ctl.operation.operate import apply_plan, resume, take_back
from s1ctl.operation.outcome import Outcome
from s1ctl.plan.plan import Plan
from s1ctl.plan.steps import RecordRelease
from tests.support.plans import install_first, upgrade
from tests.support.turns import TURNS, install_middle
from tests.support.worlds import UNDONE, Killed, Mortal, World, make_world

PLANS = {"upgrade": upgrade, **TURNS}


@pytest.fixture(params=PLANS)
def plan(request: pytest.FixtureRequest) -> Plan:
    return PLANS[request.param]()


@pytest.fixture
def quick() -> Iterator[Path]:
    """Yield a folder in memory, where there is one: each world fsyncs hundreds of times."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def make(quick: Path, plan: Plan) -> Callable[[object], World]:
    def make(name: object) -> World:
        world = make_world(quick / str(name))
        (install_first if plan == upgrade() else install_middle)(world.ledger)
        return world

    return make


def run(world: World, plan: Plan) -> Outcome:
    return apply_plan(world.context(), plan, actions=world.action)


def again(world: World) -> Outcome:
    operation = world.ledger.operations.unfinished()
    assert operation is not None
    return resume(world.context(), operation, actions=world.action)


def killed(world: World, plan: Plan, at: int) -> None:
    world.mortal = Mortal(at=at)
    with pytest.raises(Killed):
        run(world, plan)
    world.mortal = Mortal()


def finished(world: World, plan: Plan) -> None:
    """Go on as an operator does: resume what is unfinished, begin what never began."""
    if world.ledger.operations.unfinished():
        again(world)
    elif not world.ledger.operations.history():
        run(world, plan)


def fault() -> StepFailed:
    return StepFailed("it broke", code="S1-X01", hint="mend it")


def as_it_stands(world: World) -> object:
    installed = world.ledger.releases.installed()
    known = (installed.digest, installed.settings, installed.point) if installed else None
    return world.effects, known


def test_killed_at_every_moment_and_resumed_the_end_is_that_of_an_undisturbed_run(
    make: Callable[[object], World], plan: Plan
) -> None:
    undisturbed = make("undisturbed")
    assert run(undisturbed, plan).state == "done"
    total = undisturbed.mortal.passed
    for at in range(1, total + 1):
        world = make(at)
        killed(world, plan, at)
        finished(world, plan)
        assert as_it_stands(world) == as_it_stands(undisturbed), f"killed at {at} of {total}"
        assert world.ledger.operations.verify_chain() is None
        assert world.holder is None or world.ledger.operations.unfinished() is None
    print(f"survived {total} of {total} moments")  # noqa: T201 - what the run proves


def test_killed_at_every_moment_and_rolled_back_nothing_of_the_hop_is_left(
    make: Callable[[object], World], plan: Plan
) -> None:
    undisturbed = make("undisturbed")
    before = as_it_stands(make("before"))[1]
    run(undisturbed, plan)
    hop = {str(item.number) for item in numbered(plan) if item.hop}
    kept = {str(item.number) for item in numbered(plan) if type(item.step).__name__ not in UNDONE}
    for at in range(1, undisturbed.mortal.passed + 1):
        world = make(at)
        killed(world, plan, at)
        operation = world.ledger.operations.unfinished()
        if operation is None:
            continue
        state = take_back(world.context(), operation, actions=world.action).state
        if state == "done":
            assert as_it_stands(world) == as_it_stands(undisturbed), f"killed at moment {at}"
        else:
            assert as_it_stands(world)[1] == before, f"killed at moment {at}"
            assert hop & set(world.effects) <= kept, f"killed at moment {at}"


def test_killed_while_it_is_taken_back_it_is_taken_back_by_resume(
    make: Callable[[object], World], plan: Plan
) -> None:
    """The last step but the record fails; the way back is killed at each of its moments."""
    failing = next(i for i in reversed(numbered(plan)) if not isinstance(i.step, RecordRelease))
    taken_back = make("undisturbed")
    taken_back.faults[str(failing.number)] = fault()
    assert run(taken_back, plan).state == "taken-back"
    total = taken_back.mortal.passed
    for at in range(1, total + 1):
        world = make(at)
        world.faults[str(failing.number)] = fault()
        killed(world, plan, at)
        finished(world, plan)
        assert as_it_stands(world) == as_it_stands(taken_back), f"killed at {at} of {total}"
        assert world.ledger.operations.unfinished() is None
