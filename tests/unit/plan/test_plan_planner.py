"""Plans: what is in them, in which order, and what is refused."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from packaging.version import Version

from s1ctl.errors import NoPath, UsageError
from s1ctl.plan.addresses import allocate
from s1ctl.plan.explain import explain_plan
from s1ctl.plan.plan import Plan, SecretUse, Settings
from s1ctl.plan.planner import plan_install, plan_upgrade
from s1ctl.plan.rollback import Point, plan_rollback
from s1ctl.plan.steps import (
    ApplyRevision,
    BackUp,
    Prepare,
    RecordPoint,
    RecordRelease,
    Retire,
    Roll,
    Soak,
)
from s1ctl.plan.units import own_addresses
from s1ctl.plan.view import Current, ReleaseView, SiteView
from s1ctl.release.graph import Leg
from s1ctl.shape import changed, parse_value, plain
from tests.support.releases import COMPOSE, SETTINGS, make_site, make_view

FIRST = (("0001", "expand", "1.0.0"),)
SECOND = (*FIRST, ("0002", "expand", "1.1.0"), ("0003", "backfill", "1.1.0"))
CONTRACT = (*SECOND, ("0004", "contract", "1.1.0"))
LEG = Leg(to=Version("1.1.0"), why="because")


def installed(view: ReleaseView) -> SiteView:
    plan = plan_install(make_site(), view)
    record = plan.hops[-1].steps[-1]
    assert isinstance(record, RecordRelease)
    current = Current(
        release=view.digest,
        version=view.version,
        instances=record.instances,
        settings=view.settings,
        point=None,
    )
    done = {s.database: tuple(r.id for r in s.revisions) for s in view.manifest.schemas}
    return make_site(
        current, addresses=own_addresses(make_site(), (view,)), applied=done, next_point=2
    )


def upgraded(view: ReleaseView, former: ReleaseView | None = None) -> Plan:
    return plan_upgrade(installed(former or make_view("1.0.0", revisions=FIRST)), (view,), (LEG,))


def kinds(plan: Plan) -> list[str]:
    return [type(step).__name__ for hop in plan.hops for step in hop.steps]


def rolled(plan: Plan) -> list[str]:
    return [step.to.unit for hop in plan.hops for step in hop.steps if isinstance(step, Roll)]


def test_an_install_prepares_data_then_applies_the_lineage_then_rolls_the_edge_last() -> None:
    plan = plan_install(make_site(), make_view("1.0.0", revisions=CONTRACT))
    prepare = plan.stage[-1]
    assert isinstance(prepare, Prepare)
    assert [i.unit for i in prepare.data] == ["db"]
    assert kinds(plan) == ["RecordPoint", *["ApplyRevision"] * 4, "Roll", "Roll", "RecordRelease"]
    assert rolled(plan) == ["api", "web"]


def test_an_upgrade_backs_up_before_the_schema_and_soaks_before_the_record() -> None:
    plan = upgraded(make_view("1.1.0", revisions=SECOND))
    assert kinds(plan) == [
        "RecordPoint", "BackUp", "ApplyRevision", "ApplyRevision", "Roll", "Roll", "Soak",
        "RecordRelease",
    ]  # fmt: skip


def test_a_unit_with_the_same_image_configuration_and_settings_is_not_rolled() -> None:
    plan = upgraded(make_view("1.1.0", images={"web": "1.0.0"}, revisions=SECOND))
    assert rolled(plan) == ["api"]
    soak = next(s for s in plan.hops[0].steps if isinstance(s, Soak))
    assert {i.unit: i.version for i in soak.instances} == {
        "api": "1.1.0",
        "db": "1.0.0",
        "web": "1.0.0",
    }


@pytest.mark.parametrize(
    "settings",
    [
        Settings(values={"mode": "slow"}, secrets=SETTINGS.secrets),
        Settings(
            values=SETTINGS.values,
            secrets={"password": SecretUse(version=2, fingerprint="e" * 64)},
        ),
    ],
    ids=["a value", "a secret"],
)
def test_a_changed_setting_rolls_the_units_that_use_it(settings: Settings) -> None:
    same = {"api": "1.0.0", "web": "1.0.0"}
    plan = upgraded(make_view("1.1.0", images=same, settings=settings))
    assert "api" in rolled(plan)
    assert "web" not in rolled(plan)


def test_each_replica_takes_its_other_address_in_turn() -> None:
    plan = upgraded(make_view("1.1.0"))
    api = next(s for s in plan.hops[0].steps if isinstance(s, Roll) and s.to.unit == "api")
    assert api.former is not None
    old, new = api.former.placements[0], api.to.placements[0]
    assert (old.container, new.container) == ("acme-api-1.0.0-1a", "acme-api-1.1.0-1b")
    assert old.address != new.address


def test_an_edge_on_the_hosts_network_has_no_address() -> None:
    plan = upgraded(make_view("1.1.0"))
    web = next(s for s in plan.hops[0].steps if isinstance(s, Roll) and s.to.unit == "web")
    assert web.to.placements[0].address is None
    assert web.replace == "rolling"


def test_a_hop_without_a_schema_step_makes_no_backup() -> None:
    assert "BackUp" not in kinds(upgraded(make_view("1.1.0", revisions=FIRST)))


def test_a_site_that_wants_no_backup_gets_none() -> None:
    site = installed(make_view("1.0.0", revisions=FIRST))
    site = make_site(site.current, applied=site.applied, is_backup_wanted=False)
    plan = plan_upgrade(site, (make_view("1.1.0", revisions=SECOND),), (LEG,))
    assert "BackUp" not in kinds(plan)


def test_a_contract_stays_pending_at_an_upgrade() -> None:
    plan = upgraded(make_view("1.1.0", revisions=CONTRACT))
    applied = [s.revision for s in plan.hops[0].steps if isinstance(s, ApplyRevision)]
    assert applied == ["0002", "0003"]


def test_an_expansion_behind_a_pending_contract_is_refused() -> None:
    later = (*CONTRACT, ("0005", "expand", "1.2.0"))
    with pytest.raises(NoPath) as caught:
        upgraded(make_view("1.2.0", revisions=later))
    assert caught.value.code == "S1-N04"


def test_a_unit_that_the_release_no_longer_has_is_retired() -> None:
    without = COMPOSE.replace(b"  web:", b"  other:").replace(b"image: web", b"image: other")
    plan = upgraded(make_view("1.1.0", compose=without))
    assert [s.former.unit for s in plan.hops[0].steps if isinstance(s, Retire)] == ["web"]


def test_a_data_unit_with_another_image_is_stopped_and_started_after_the_backup() -> None:
    plan = upgraded(make_view("1.1.0", images={"db": "other"}, revisions=FIRST))
    names = kinds(plan)
    roll = plan.hops[0].steps[names.index("Roll")]
    assert isinstance(roll, Roll)
    assert (roll.to.unit, roll.replace) == ("db", "recreate")
    assert names.index("BackUp") < names.index("Roll")


def test_a_stage_alone_has_no_hops_but_the_settings() -> None:
    view = make_view("1.1.0")
    site = installed(make_view("1.0.0"))
    plan = plan_upgrade(site, (view,), (LEG,), is_stage=True)
    assert plan.hops == ()
    assert plan.settings[str(view.digest)] == view.settings


def test_the_digest_is_that_of_the_content_alone() -> None:
    view = make_view("1.1.0", revisions=SECOND)
    assert upgraded(view).digest == upgraded(view).digest
    assert upgraded(view).digest != upgraded(make_view("1.1.1", revisions=SECOND)).digest


def test_a_plan_survives_being_written_and_read() -> None:
    plan = upgraded(make_view("1.1.0", revisions=SECOND))
    assert parse_value(plain(plan), Plan) == plan


def test_every_step_is_explained_with_its_number() -> None:
    plan = upgraded(make_view("1.1.0", revisions=SECOND))
    lines = explain_plan(plan)
    steps = len(plan.stage) + len(plan.hops[0].steps)
    assert sum(line.startswith("  ") for line in lines) == steps
    assert "because" in "\n".join(lines)


def back(revisions: tuple[tuple[str, str, str], ...] = FIRST, **done: tuple[str, ...]) -> Plan:
    former = make_view("1.0.0", revisions=FIRST)
    view = make_view("1.1.0", revisions=revisions)
    before = installed(former)
    assert before.current is not None
    record = plan_upgrade(before, (view,), (LEG,)).hops[0].steps[-1]
    assert isinstance(record, RecordRelease)
    now = Current(
        release=view.digest,
        version=view.version,
        instances=record.instances,
        settings=view.settings,
        point="p0002",
    )
    point = Point(
        id="p0002",
        release=former.digest,
        version="1.0.0",
        running=before.current.instances,
        settings=former.settings,
        revisions={"main": ("0001",)},
        former_point=None,
    )
    return plan_rollback(make_site(now, applied=done), view, former, point)


def test_a_rollback_takes_the_edge_back_first_and_touches_no_schema() -> None:
    plan = back()
    assert kinds(plan) == ["Roll", "Roll", "RecordRelease"]
    assert rolled(plan) == ["web", "api"]
    assert plan.hops[0].version == "1.0.0"


def test_a_rollback_past_a_finished_contract_is_refused() -> None:
    with pytest.raises(NoPath) as caught:
        back(CONTRACT, main=("0001", "0002", "0003", "0004"))
    assert caught.value.code == "S1-N03"


def test_nothing_installed_is_nothing_to_go_back_from() -> None:
    view = make_view("1.0.0")
    point = Point(
        id="p1", release=view.digest, version="1.0.0", running=(), settings=view.settings,
        revisions={}, former_point=None,
    )  # fmt: skip
    with pytest.raises(NoPath) as caught:
        plan_rollback(make_site(), view, view, point)
    assert caught.value.code == "S1-N05"


def test_a_network_without_room_is_refused() -> None:
    compose = COMPOSE.replace(b"    image: api", b"    image: api\n    deploy: {replicas: 16}")
    site = make_site(subnet=IPv4Network("10.0.0.0/27"))
    with pytest.raises(UsageError) as caught:
        plan_install(site, make_view("1.0.0", compose=compose))
    assert caught.value.code == "S1-U16"


def test_a_recorded_point_names_what_ran() -> None:
    plan = upgraded(make_view("1.1.0", revisions=SECOND))
    point = plan.hops[0].steps[0]
    backup = plan.hops[0].steps[1]
    assert isinstance(point, RecordPoint)
    assert isinstance(backup, BackUp)
    assert point.point == backup.point == "p0002"
    assert {i.unit for i in point.running} == {"api", "db", "web"}
    assert changed(point, running=()) != point


def test_the_last_quarter_of_the_network_is_left_to_addresses_that_nobody_fixed() -> None:
    pairs = allocate(IPv4Network("10.0.0.0/27"), {}, [f"u/{i}" for i in range(1, 12)])
    given = {IPv4Address(address) for pair in pairs.values() for address in pair}
    assert max(given) < IPv4Address("10.0.0.24")
    with pytest.raises(UsageError):
        allocate(IPv4Network("10.0.0.0/27"), pairs, ["another/1"])
