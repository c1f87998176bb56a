"""Ways back over several hops, and past a contract."""

import pytest

from s1ctl.errors import NoPath
from s1ctl.plan.explain import explain_plan
from s1ctl.plan.plan import Settings
from s1ctl.plan.planner import plan_change, plan_contract
from s1ctl.plan.restore import Dump, choose_dumps, plan_restore
from s1ctl.plan.rollback import plan_rollback
from s1ctl.plan.steps import Archive, RecordRelease, RestoreBackup, Roll, StopApps
from s1ctl.plan.view import SiteView
from tests.support.releases import SETTINGS, make_view
from tests.support.sites import after, installed, point_of, upgrade

ONE = (("e1", "expand", "1.0.0"),)
TWO = (*ONE, ("e2", "expand", "1.1.0"))
THREE = (*TWO, ("e3", "expand", "2.0.0"), ("c3", "contract", "2.0.0"))
V1 = make_view("1.0.0", revisions=ONE)
V2 = make_view("1.1.0", revisions=TWO)
V3 = make_view("2.0.0", revisions=THREE)
S1 = installed(V1)
S2 = after(S1, upgrade(S1, V2), V1, V2)
S3 = after(S2, upgrade(S2, V3), V1, V2, V3)
CLOSED = after(S3, plan_contract(S3, V3), V1, V2, V3)
P1, P2 = point_of(S1, "p0002"), point_of(S2, "p0003", "p0002")
ALL = ("e1", "e2", "e3")


def dump(name: str, *revisions: str, is_proven: bool = True) -> Dump:
    return Dump(id=name, database="main", revisions=revisions, is_proven=is_proven)


DUMPS = (dump("b0004", *ALL, "c3"), dump("b0003", *ALL), dump("b0002", "e1", "e2"))


def rolls(plan) -> list[Roll]:
    return [step for hop in plan.hops for step in hop.steps if isinstance(step, Roll)]


def test_over_two_hops_a_place_that_is_taken_is_not_used_again() -> None:
    plan = plan_rollback(S3, V3, V1, P1)
    api = next(roll for roll in rolls(plan) if roll.to.unit == "api")
    assert api.former is not None
    old, new = api.former.placements[0], api.to.placements[0]
    assert (old.container, new.container) == ("acme-api-2.0.0-1a", "acme-api-1.0.0-1b")
    assert old.address != new.address
    assert new.address in S3.addresses["api/1"]
    record = plan.hops[0].steps[-1]
    assert isinstance(record, RecordRelease)
    assert api.to in record.instances
    assert (record.version, record.point) == ("1.0.0", None)


def test_over_two_changes_of_settings_the_same_name_is_not_used_again() -> None:
    def view(mode: str):
        return make_view(
            "1.0.0", settings=Settings(values={"mode": mode}, secrets=SETTINGS.secrets)
        )

    site = installed(view("a"))
    point = point_of(site)
    for mode in "bc":
        site = after(site, plan_change("apply", site, view(mode)), view(mode))
    (api,) = rolls(plan_rollback(site, view("c"), view("a"), point))
    assert api.former is not None
    assert api.former.placements[0].container == "acme-api-1.0.0-1a"
    assert api.to.placements[0].container == "acme-api-1.0.0-1b"
    assert api.to.fingerprint == point.running[0].fingerprint


def test_a_unit_of_an_older_release_gets_the_settings_of_the_point() -> None:
    same = make_view("1.1.0", revisions=TWO, images={"web": "1.0.0"})
    site = after(S1, upgrade(S1, same), V1, same)
    point = point_of(site)
    assert {i.version for i in point.running} == {"1.0.0", "1.1.0"}
    newer = after(site, upgrade(site, V3), V1, same, V3)
    plan = plan_rollback(newer, V3, same, point)
    web = next(roll for roll in rolls(plan) if roll.to.unit == "web")
    assert str(web.to.release) in plan.settings


def test_past_a_contract_the_refusal_names_the_restore() -> None:
    with pytest.raises(NoPath) as refused:
        plan_rollback(CLOSED, V3, V2, P2)
    assert (refused.value.code, "--restore" in refused.value.hint) == ("S1-N03", True)


def test_a_point_that_lies_ahead_of_the_databases_is_refused() -> None:
    with pytest.raises(NoPath) as refused:
        plan_rollback(S1, V1, V3, point_of(S3))
    assert refused.value.code == "S1-N26"


def test_the_newest_backup_from_before_the_contract_is_chosen() -> None:
    assert choose_dumps(CLOSED, V3, P2, DUMPS) == {"main": "b0003"}
    assert choose_dumps(CLOSED, V3, P2, DUMPS, named="b0002") == {"main": "b0002"}


@pytest.mark.parametrize(
    ("dumps", "named"),
    [
        ((), None),
        ((dump("b0003", *ALL, is_proven=False),), None),
        ((dump("b0003", *ALL, "c3"),), None),
        ((dump("b0003", "e1"),), None),
        (DUMPS, "b0004"),
        (DUMPS, "b0009"),
    ],
    ids=["none", "unproven", "contracted", "too old", "a contracted one named", "an unknown one"],
)
def test_a_backup_that_does_not_serve_is_refused(dumps, named) -> None:
    with pytest.raises(NoPath) as refused:
        choose_dumps(CLOSED, V3, P2, dumps, named=named)
    assert refused.value.code == "S1-N23"


def test_where_nothing_was_contracted_no_backup_is_restored() -> None:
    with pytest.raises(NoPath) as refused:
        choose_dumps(S3, V3, P2, DUMPS)
    assert (refused.value.code, "`s1ctl rollback`" in refused.value.hint) == ("S1-N22", True)


def restore(site: SiteView = CLOSED, *, is_archived: bool = True):
    return plan_restore(site, V3, V2, P2, backups={"main": "b0003"}, is_archived=is_archived)


def test_a_restore_stops_apps_archives_restores_and_starts_those_of_the_point() -> None:
    steps = restore().hops[0].steps
    assert [type(step).__name__ for step in steps] == [
        "StopApps", "Archive", "RestoreBackup", "Roll", "Roll", "RecordRelease",
    ]  # fmt: skip
    stop, archive, back, api, web, record = steps
    assert isinstance(stop, StopApps)
    assert [i.unit for i in stop.instances] == ["api"]
    assert isinstance(archive, Archive)
    assert archive.backup == f"b{CLOSED.next_backup:04d}"
    assert back == RestoreBackup(backup="b0003", database="main", release=V2.digest)
    assert isinstance(api, Roll)
    assert isinstance(web, Roll)
    assert (api.to.unit, api.former, web.to.unit) == ("api", None, "web")
    assert isinstance(record, RecordRelease)
    assert (record.release, record.point) == (V2.digest, "p0002")


def test_a_restore_archives_only_when_asked() -> None:
    kinds = [type(step).__name__ for step in restore(is_archived=False).hops[0].steps]
    assert "Archive" not in kinds


def test_a_restore_to_the_release_that_runs_starts_its_apps_again() -> None:
    now = point_of(CLOSED, "now")
    plan = plan_restore(CLOSED, V3, V3, now, backups={"main": "b0004"})
    assert [roll.to.unit for roll in rolls(plan)] == ["api"]


def test_a_restore_says_what_is_lost_before_it() -> None:
    lines = explain_plan(restore())
    place = next(i for i, line in enumerate(lines) if "point of no return" in line)
    assert "every write made after b0003 is lost" in lines[place]
    assert "restore database main" in lines[place + 1]
