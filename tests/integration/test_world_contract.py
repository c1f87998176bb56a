"""The fake world of the tests of crashes and the real actions keep one contract, step by step.

What is killed at every moment of the fake one is only worth as much as this.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from s1ctl.cli.context import Here
from s1ctl.cli.output import Output
from s1ctl.cli.surroundings import make_context
from s1ctl.operation.action import Action
from s1ctl.operation.actions import action_for
from s1ctl.operation.execute import numbered
from s1ctl.operation.gather import upgrade_plan
from s1ctl.operation.holding import give_back, take
from s1ctl.operation.run import Item, Run
from s1ctl.plan.plan import Plan
from s1ctl.plan.presence import Presence
from s1ctl.plan.steps import AnyStep, BackUp, ProveBackup
from s1ctl.progress import Progress, silent
from s1ctl.shape import changed
from tests.support.kiosk import SECOND, Opened
from tests.support.plans import install_first, upgrade
from tests.support.turns import TURNS, install_middle
from tests.support.worlds import ALWAYS, UNDONE, Killed, Mortal, make_world

pytestmark = pytest.mark.integration
UNTRIED = ("LoadRelease",)  # the release is loaded before: there is nothing to be done
FINAL = ("RecordRelease",)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A world with an open operation, whose steps are tried in their order."""

    run: Run
    kills: tuple[int, ...]  # the moments of a step's `do` to be killed at, where it has so many
    kill: Callable[[Action, int], None]
    stand: Callable[[], object]

    def items(self) -> Iterator[Item]:
        for item in numbered(self.run.operation.plan):
            if kind(item) not in UNTRIED:
                yield item


def kind(item: Item) -> str:
    return type(item.step).__name__


def opened_run(context: Any, plan: Plan, actions: Callable[[Item, Run], Action], fence: int) -> Run:
    operation = context.ledger.operations.open(plan, fence=fence, at=context.now())
    return Run(context=context, operation=operation, fence=fence, actions=actions)


def fake(folder: Path, plan: Plan) -> Tried:
    world = make_world(folder)
    (install_first if plan == upgrade() else install_middle)(world.ledger)

    def kill(action: Action, moment: int) -> None:
        world.mortal = Mortal(at=moment)
        try:
            action.do(silent)
        finally:
            world.mortal = Mortal()

    run = opened_run(world.context(), plan, world.action, 1)
    return Tried(run=run, kills=(1, 2), kill=kill, stand=lambda: tuple(world.effects))


@pytest.fixture
def real(filled_kiosk: Opened, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tried]:
    """The kiosk, to be upgraded with a backup before."""
    site, text = filled_kiosk.site, filled_kiosk.site.file.read_text()
    filled_kiosk.forget_image(SECOND)
    site.file.write_text(text.replace("backup: {when: contract}", "backup: {when: always}"))
    here = Here(output=Output(is_json=False, has_colour=False), environment=site.environment)
    here.site_option = site.file
    context = make_context(here)
    plan = proving(upgrade_plan(context, Version(SECOND)))
    name = context.ledger.operations.next_id()
    fence = take(context, name, plan=str(plan.digest), message=plan.verb)
    run = opened_run(context, plan, action_for, fence)
    context.ledger.addresses.record(plan.addresses)
    try:
        yield Tried(
            run=run,
            kills=(3,),
            kill=kill_at_a_tick,
            stand=lambda: (filled_kiosk.running(), filled_kiosk.rows()),
        )
    finally:
        give_back(context, name, fence=fence)
        here.end()
        site.file.write_text(text)
        filled_kiosk.put_back()


def proving(plan: Plan) -> Plan:
    """Prove what is backed up, as the plan of a contract does."""
    steps: list[AnyStep] = []
    for step in plan.hops[0].steps:
        steps.append(step)
        if isinstance(step, BackUp):
            proof = ProveBackup(backup=step.backup, database=step.database, release=step.release)
            steps.append(proof)
    return changed(plan, hops=(changed(plan.hops[0], steps=tuple(steps)),))


def kill_at_a_tick(action: Action, moment: int) -> None:
    """Die where the step says for this time how far it is; it is done where that is never said."""
    ticks = 0

    def tick(_: Progress) -> None:
        nonlocal ticks
        ticks += 1
        if ticks == moment:
            raise Killed

    action.do(tick)


def keeps_the_contract(tried: Tried, item: Item) -> None:
    """The one list that both worlds are held to."""
    name, action = kind(item), tried.run.actions(item, tried.run)
    done = Presence.ABSENT if name in ALWAYS else Presence.PRESENT
    assert (action.undo is not None) == (name in UNDONE), name
    assert action.is_final == (name in FINAL), name
    assert action.probe() is Presence.ABSENT, f"{name} before it is done"
    for moment in tried.kills:
        with_a_kill(tried, action, moment)
        assert action.probe() in (Presence.ABSENT, done), f"{name} after a kill"
    action.do(silent)
    assert action.probe() is done, f"{name} after it was done"
    stand = tried.stand()
    action.do(silent)
    assert (action.probe(), tried.stand()) == (done, stand), f"{name} done again"
    if action.undo is not None:
        for _ in range(2):
            action.undo(silent)
            assert action.probe() is Presence.ABSENT, f"{name} after it was undone"
        action.do(silent)
        assert (action.probe(), tried.stand()) == (done, stand), f"{name} done after all"


def with_a_kill(tried: Tried, action: Action, moment: int) -> None:
    if action.probe() is Presence.PRESENT:
        return
    try:
        tried.kill(action, moment)
    except Killed:
        return


FAKES: Mapping[str, Callable[[], Plan]] = {"upgrade": upgrade, **TURNS}


@pytest.mark.parametrize("name", FAKES)
def test_the_fake_world_keeps_the_contract(tmp_path: Path, name: str) -> None:
    tried = fake(tmp_path, FAKES[name]())
    for item in tried.items():
        keeps_the_contract(tried, item)


def test_the_real_world_keeps_the_contract(real: Tried) -> None:
    for item in real.items():
        keeps_the_contract(real, item)
    of_fakes = {kind(item) for make in FAKES.values() for item in numbered(make())}
    tried = {kind(item) for item in real.items()}
    assert tried <= of_fakes
    assert tried >= {
        "CheckSite", "PullImages", "Prepare", "RecordPoint", "BackUp", "ProveBackup",
        "ApplyRevision", "Roll", "Soak", "RecordRelease",
    }  # fmt: skip
