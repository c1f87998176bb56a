"""With which settings a unit is made: forward the plan's, on the way back those that ran before."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from s1ctl.errors import StepFailed
from s1ctl.operation import reveal, rollout
from s1ctl.operation.run import Run, log_file
from s1ctl.plan.plan import Settings
from s1ctl.plan.steps import Retire, Roll, StopApps
from s1ctl.progress import silent
from s1ctl.targets.settings import UnitSettings
from tests.support.ledgers import INSTANCE, RELEASE
from tests.support.turns import MIDDLE, ROTATED, install_middle, rotation
from tests.support.worlds import make_world


class Target:
    """Remembers with which settings it was told to roll."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def roll(self, step: Roll, _release: Any, settings: Any, **_: Any) -> None:
        self.told.append(("roll", step.to.unit, settings))

    def unroll(self, step: Roll, _release: Any, settings: Any, **_: Any) -> None:
        self.told.append(("unroll", step.to.unit, settings))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a rotation: the plan has other settings for the release that is installed."""
    ledger = make_world(tmp_path).ledger
    install_middle(ledger)
    monkeypatch.setattr(reveal, "reveal", lambda _, settings: settings)
    context = SimpleNamespace(
        ledger=ledger,
        target=Target(),
        release=lambda digest: SimpleNamespace(digest=digest),
        site=SimpleNamespace(state=tmp_path),
    )
    operation = SimpleNamespace(id="op-2", plan=rotation())
    return Run(context=context, operation=operation, fence=1, actions=None)  # type: ignore[arg-type]


def step_of(run: Run, kind: type) -> Any:
    return next(s for s in run.operation.plan.hops[0].steps if isinstance(s, kind))


def test_a_roll_uses_the_plans_settings_and_its_undo_the_former_ones(run: Run) -> None:
    step = step_of(run, Roll)
    action = rollout.roll(step, run, run.operation.plan.hops[0])
    action.do(silent)
    assert action.undo is not None
    action.undo(silent)
    assert run.context.target.told == [  # type: ignore[attr-defined]
        ("roll", "api", ROTATED),
        ("unroll", "api", MIDDLE.settings),
    ]


def test_undo_of_a_first_roll_needs_no_settings(run: Run) -> None:
    action = rollout.roll(Roll(role="app", replace="rolling", to=INSTANCE), run, None)
    assert action.undo is not None
    action.undo(silent)
    assert run.context.target.told == [("unroll", "web", UnitSettings())]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "make",
    [
        lambda run: rollout.retire(Retire(role="app", former=INSTANCE), run),
        lambda run: rollout.stop_apps(StopApps(instances=(INSTANCE,)), run),
    ],
)
def test_what_was_stopped_is_started_again_with_the_settings_that_it_had(run: Run, make) -> None:
    undo = make(run).undo
    undo(silent)
    assert run.context.target.told == [("roll", "web", MIDDLE.settings)]  # type: ignore[attr-defined]


def test_settings_that_are_recorded_nowhere_name_the_log(tmp_path: Path, run: Run) -> None:
    with pytest.raises(StepFailed) as caught:
        run.settings(RELEASE, None)
    assert caught.value.code == "S1-O02"
    assert str(log_file(run.context.site, "op-2")) in caught.value.hint
    run.context.ledger.releases.record_uninstalled(at=run.context.ledger.releases.installed().at)  # type: ignore[union-attr]
    with pytest.raises(StepFailed):
        run.former_settings()


def test_the_plans_settings_are_the_rotated_ones(run: Run) -> None:
    assert isinstance(run.settings(MIDDLE.digest, None), Settings)
    assert run.settings(MIDDLE.digest, None) == ROTATED
    assert run.former_settings() == MIDDLE.settings
