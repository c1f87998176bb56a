"""Other settings, other secrets, jobs: what is replaced, and in which order."""

import dataclasses

import pytest

from s1ctl.plan.explain import explain_plan
from s1ctl.plan.plan import SecretUse, Settings
from s1ctl.plan.planner import plan_change
from s1ctl.plan.rollback import plan_rollback
from s1ctl.plan.steps import Roll, RunJob, SetPassword
from s1ctl.plan.view import ReleaseView
from tests.support.releases import COMPOSE, SETTINGS, make_view
from tests.support.sites import after, installed, point_of, upgrade

ONE = (("e1", "expand", "1.0.0"),)
SLOW = Settings(values={"mode": "slow"}, secrets=SETTINGS.secrets)
OLD, NEW = SETTINGS.secrets["password"], SecretUse(version=2, fingerprint="e" * 64)
ROTATED = Settings(values=SETTINGS.values, secrets={"password": NEW})
JOBS = COMPOSE.replace(
    b"volumes: {data: {}}",
    b"""  rows:
    image: api
    x-s1ctl: {role: job, when: before-roll}
  smoke:
    image: api
    x-s1ctl: {role: job, when: after-roll}
volumes: {data: {}}""",
    1,
)


def view(settings: Settings = SETTINGS) -> ReleaseView:
    return make_view("1.0.0", revisions=ONE, settings=settings)


def kinds(plan) -> list[str]:
    return [type(step).__name__ for hop in plan.hops for step in hop.steps]


def test_one_changed_value_replaces_only_the_units_that_use_it() -> None:
    plan = plan_change("apply", installed(view()), view(SLOW))
    assert kinds(plan) == ["RecordPoint", "Roll", "Soak", "RecordRelease"]
    roll = plan.hops[0].steps[1]
    assert isinstance(roll, Roll)
    assert roll.former is not None
    assert (roll.to.unit, roll.to.placements[0].container) == ("api", "acme-api-1.0.0-1b")
    assert (plan.verb, plan.start, plan.hops[0].to) == ("apply", view().digest, view().digest)


def test_nothing_changed_is_nothing_to_do() -> None:
    plan = plan_change("apply", installed(view()), view())
    assert plan.is_empty
    assert "nothing to do" in explain_plan(plan)[1]


def test_settings_applied_twice_use_each_place_in_turn() -> None:
    site = installed(view())
    first = plan_change("apply", site, view(SLOW))
    second = plan_change("apply", after(site, first, view(SLOW)), view())
    roll = second.hops[0].steps[1]
    assert isinstance(roll, Roll)
    assert roll.to.placements[0].container == "acme-api-1.0.0-1a"


def test_a_changed_config_text_replaces_the_unit_that_mounts_it() -> None:
    text = b"configs: {rules: {content: 'limit 1'}}\n"
    compose = COMPOSE.replace(b"    image: web", b"    image: web\n    configs: [rules]") + text
    before = make_view("1.0.0", compose=compose)
    other = make_view("1.0.0", compose=compose.replace(b"limit 1", b"limit 2"))
    plan = plan_change("apply", installed(before), other)
    assert [s.to.unit for s in plan.hops[0].steps if isinstance(s, Roll)] == ["web"]


def test_a_password_is_changed_before_its_units_and_never_restarts_the_database() -> None:
    plan = plan_change("rotate", installed(view()), view(ROTATED))
    assert kinds(plan) == ["RecordPoint", "SetPassword", "Roll", "Soak", "RecordRelease"]
    step, roll = plan.hops[0].steps[1:3]
    assert step == SetPassword(
        database="main", secret="password", to=NEW, former=OLD, release=view().digest
    )
    assert isinstance(roll, Roll)
    assert roll.to.unit == "api"


def test_a_password_of_a_database_elsewhere_is_not_ours_to_change() -> None:
    site = dataclasses.replace(installed(view()), services={})
    assert "SetPassword" not in kinds(plan_change("rotate", site, view(ROTATED)))


def test_a_rollback_gives_the_former_password_back_before_its_units() -> None:
    site = installed(view())
    point = point_of(site, "p0002")
    rotated = after(site, plan_change("rotate", site, view(ROTATED)), view(ROTATED))
    plan = plan_rollback(rotated, view(ROTATED), view(), point)
    assert kinds(plan) == ["SetPassword", "Roll", "RecordRelease"]
    step = plan.hops[0].steps[0]
    assert isinstance(step, SetPassword)
    assert (step.to, step.former) == (OLD, NEW)
    assert plan.settings[str(view().digest)] == SETTINGS


def test_an_upgrade_that_brings_another_password_changes_it_once() -> None:
    second = make_view("1.1.0", revisions=ONE, settings=ROTATED)
    third = make_view("1.2.0", revisions=ONE, settings=ROTATED)
    plan = upgrade(installed(view()), second, third)
    assert kinds(plan).count("SetPassword") == 1
    assert "SetPassword" in [type(step).__name__ for step in plan.hops[0].steps]


def test_jobs_run_before_and_after_the_units_are_rolled() -> None:
    plan = upgrade(installed(view()), make_view("1.1.0", revisions=ONE, compose=JOBS))
    assert kinds(plan) == [
        "RecordPoint", "RunJob", "Roll", "Roll", "RunJob", "Soak", "RecordRelease",
    ]  # fmt: skip
    jobs = [step for step in plan.hops[0].steps if isinstance(step, RunJob)]
    assert [(job.job, job.when, job.container) for job in jobs] == [
        ("rows", "before-roll", "acme-rows-1.1.0"),
        ("smoke", "after-roll", "acme-smoke-1.1.0"),
    ]


def test_the_same_release_with_other_settings_runs_no_job() -> None:
    before = make_view("1.0.0", compose=JOBS)
    other = make_view("1.0.0", compose=JOBS, settings=SLOW)
    assert "RunJob" not in kinds(plan_change("apply", installed(before), other))


@pytest.mark.parametrize("verb", ["apply", "rotate"])
def test_a_change_says_its_way_back(verb) -> None:
    plan = plan_change(verb, installed(view()), view(SLOW))
    assert "loses no row" in explain_plan(plan)[-2]


def test_a_data_unit_with_another_image_gets_a_proven_backup_first() -> None:
    plan = upgrade(installed(view()), make_view("1.1.0", images={"db": "other"}, revisions=ONE))
    assert kinds(plan)[:4] == ["RecordPoint", "BackUp", "ProveBackup", "Roll"]
