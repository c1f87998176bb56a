"""With which settings a unit is made: forward the plan's, on the way back those that ran before."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from s1ctl.errors import PlanDiffers, StepFailed
from s1ctl.operation import databases, reveal, rollout
from s1ctl.operation.run import Run, log_file
from s1ctl.plan.plan import SecretUse, Settings
from s1ctl.plan.steps import Retire, Roll, StopApps
from s1ctl.progress import silent
from s1ctl.site.secrets import Secret
from s1ctl.targets.settings import UnitSettings
from tests.support.ledgers import INSTANCE, RELEASE
from tests.support.releases import make_view
from tests.support.turns import MIDDLE, ROTATED, install_middle, rotation
from tests.support.worlds import make_world


def seen(settings: Any) -> Settings:
    """See every secret, also one that is fetched only now."""
    return Settings(values=dict(settings.values), secrets=dict(settings.secrets))


class Target:
    """Remembers with which settings it was told to roll."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def roll(self, step: Roll, _release: Any, settings: Any, **_: Any) -> None:
        self.told.append(("roll", step.to.unit, seen(settings)))

    def unroll(self, step: Roll, _release: Any, settings: Any, **_: Any) -> None:
        self.told.append(("unroll", step.to.unit, seen(settings)))


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
    assert run.context.target.told == [("unroll", "web", Settings(values={}, secrets={}))]  # type: ignore[attr-defined]


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


def test_on_the_way_back_a_secret_is_fetched_only_where_a_container_is_made_with_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(*_: object) -> None:
        raise PlanDiffers("it changed", code="S1-N10", hint="bring it back")

    monkeypatch.setattr(reveal, "reveal", changed)
    former = reveal.former_settings(run)
    assert former.values == {"mode": "fast"}
    assert list(former.secrets) == ["password"]
    with pytest.raises(PlanDiffers):
        former.secrets["password"]


def test_to_reach_a_database_only_its_own_password_is_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fetched: list[str] = []

    def told(_: object, settings: Settings) -> UnitSettings:
        fetched.extend(settings.secrets)
        return UnitSettings(secrets=dict.fromkeys(settings.secrets, Secret("x")))

    monkeypatch.setattr(databases, "reveal", told)
    context = SimpleNamespace(
        site=SimpleNamespace(databases={"main": SimpleNamespace(service="db", url=None)}),
        target=SimpleNamespace(address=lambda _: "127.0.0.1"),
    )
    manifest = make_view("1.0.0", revisions=(("e1", "expand", "1.0.0"),)).manifest
    use = SecretUse(version=0, fingerprint="0" * 64)
    settings = Settings(values={}, secrets={"password": use, "token": use})
    databases.dsn_of(context, manifest, manifest.schemas[0], settings)  # type: ignore[arg-type]
    assert fetched == ["password"]
