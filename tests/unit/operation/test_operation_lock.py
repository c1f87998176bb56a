"""Who has the site: stale plans, ended operations, a lock that was lost, an engine that is gone."""

from pathlib import Path

import pytest

from s1ctl.errors import Inconclusive, InputOutputFailed, PlanDiffers, SiteHeld
from s1ctl.ledger.holder import Holder
from s1ctl.operation.holding import holding
from s1ctl.operation.operate import apply_plan, resume, take_back
from s1ctl.plan.plan import Plan
from s1ctl.targets.docker_hold import Hold
from tests.support.plans import install, install_first, number_of, upgrade
from tests.support.worlds import Killed, Mortal, World, make_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = make_world(tmp_path)
    install_first(made.ledger)
    return made


def run(world: World, plan: Plan) -> object:
    return apply_plan(world.context(), plan, actions=world.action)


def test_a_plan_made_for_another_state_of_the_site_is_refused_and_the_lock_given_back(
    world: World,
) -> None:
    with pytest.raises(PlanDiffers) as caught:
        run(world, install())
    assert caught.value.code == "S1-N11"
    assert (world.holder, world.ledger.lock.holder()) == (None, None)
    assert world.ledger.operations.history() == ()


def test_an_operation_that_another_process_ended_is_not_resumed(world: World) -> None:
    plan = upgrade()
    world.unknown.add(number_of(plan, "Roll"))
    run(world, plan)
    world.unknown.clear()
    stale = world.ledger.operations.unfinished()
    assert stale is not None
    assert take_back(world.context(), stale, actions=world.action).state == "taken-back"
    with pytest.raises(SiteHeld) as caught:
        resume(world.context(), stale, actions=world.action)
    assert caught.value.code == "S1-L04"
    assert (world.holder, world.ledger.lock.holder()) == (None, None)


def test_an_operation_is_resumed_in_the_direction_it_has_now(world: World) -> None:
    plan = upgrade()
    world.unknown.add(number_of(plan, "Roll"))
    run(world, plan)
    world.unknown.clear()
    stale = world.ledger.operations.unfinished()
    assert stale is not None
    world.ledger.operations.set_direction(stale.id, "undo")
    assert resume(world.context(), stale, actions=world.action).state == "taken-back"


def test_a_process_that_lost_the_lock_writes_nothing_more(world: World) -> None:
    plan = upgrade()
    name = number_of(plan, "Roll")
    other = Holder(who="other", host="elsewhere", pid=1, boot_id="b")

    def stolen(*_: object) -> object:
        world.ledger.lock.break_("it hung", at=world.now())
        world.ledger.lock.acquire(
            operation="op-1", holder=other, plan="", message="", at=world.now(),
            is_alive=lambda _: True,
        )  # fmt: skip
        raise Inconclusive("it failed", code="S1-X01", hint="mend")

    world.steals[name] = stolen
    with pytest.raises(SiteHeld) as caught:
        run(world, plan)
    assert caught.value.code == "S1-L02"
    held = world.ledger.lock.holder()
    assert held is not None
    assert held.holder == other
    operation = world.ledger.operations.unfinished()
    assert operation is not None
    assert (operation.state, operation.direction) == ("open", "do")


def test_killed_while_it_closes_the_site_is_free_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s1ctl.operation.holding.lives", lambda _: False)
    plan = upgrade()
    whole = make_world(tmp_path / "whole")
    install_first(whole.ledger)
    run(whole, plan)
    total = whole.mortal.passed
    for at in range(total - 8, total + 1):
        world = make_world(tmp_path / str(at))
        install_first(world.ledger)
        world.mortal = Mortal(at=at)
        with pytest.raises(Killed):
            run(world, plan)
        world.mortal = Mortal()
        operation = world.ledger.operations.unfinished()
        if operation is not None:
            resume(world.context(), operation, actions=world.action)
        with pytest.raises(PlanDiffers):
            run(world, plan)
        assert world.holder is None, f"killed at moment {at} of {total}"


def test_killed_in_a_start_hook_the_site_is_free_for_whatever_comes_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("s1ctl.operation.hooks.run_start", die)
        with pytest.raises(Killed):
            run(world, upgrade())
    assert world.ledger.operations.unfinished() is None
    assert world.mark.plan == str(upgrade().digest)
    with pytest.raises(SiteHeld), holding(world.context(), "prune"):
        pytest.fail("the process lives")
    monkeypatch.setattr("s1ctl.operation.holding.lives", lambda _: False)
    with holding(world.context(), "prune"):
        assert world.holder == "prune"
    assert (world.holder, world.ledger.lock.holder()) == (None, None)
    assert run(world, upgrade()).state == "done"  # type: ignore[attr-defined]


def test_an_operation_that_a_restored_ledger_does_not_know_keeps_the_site(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s1ctl.operation.holding.lives", lambda _: False)
    holder = world.context().holder
    world.mark = Hold(
        operation="op-9", who=holder.who, host=holder.host, pid=1, boot_id="b", since="",
        plan="p", message="",
    )  # fmt: skip
    with pytest.raises(SiteHeld), holding(world.context(), "prune"):
        pytest.fail("it is held")


def test_what_another_host_holds_is_never_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s1ctl.operation.holding.lives", lambda _: False)
    world.mark = Hold(
        operation="op-9", who="other", host="elsewhere", pid=1, boot_id="b", since="", plan="p",
        message="",
    )  # fmt: skip
    with pytest.raises(SiteHeld), holding(world.context(), "prune"):
        pytest.fail("it is held")


def test_an_engine_that_is_gone_at_the_end_does_not_undo_the_end(world: World) -> None:
    world.engine_fault = InputOutputFailed("gone", code="S1-E10", hint="start it")
    outcome = run(world, upgrade())
    assert outcome.state == "done"  # type: ignore[attr-defined]
    world.engine_fault = None
    with pytest.raises(PlanDiffers):
        run(world, upgrade())
    assert world.holder is None


def test_an_engine_that_goes_away_in_a_step_pauses_and_undoes_nothing(world: World) -> None:
    plan = upgrade()
    world.faults[number_of(plan, "Roll", which=1)] = InputOutputFailed(
        "gone", code="S1-E10", hint="start it"
    )
    outcome = run(world, plan)
    assert outcome.state == "paused"  # type: ignore[attr-defined]
    assert number_of(plan, "Roll") in world.effects
    operation = world.ledger.operations.unfinished()
    assert operation is not None
    assert operation.direction == "do"


def test_a_bug_inside_a_step_pauses_the_operation_instead_of_leaving_it_open(world: World) -> None:
    plan = upgrade()
    world.faults[number_of(plan, "Roll")] = ZeroDivisionError
    outcome = run(world, plan)
    assert outcome.state == "paused"  # type: ignore[attr-defined]
    assert outcome.error.code == "S1-O20"  # type: ignore[attr-defined]
    assert isinstance(outcome.error.__cause__, ZeroDivisionError)  # type: ignore[attr-defined]
