"""What holds for the schema's steps on every path, whatever the lineages are."""

from itertools import accumulate

from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from s1ctl.errors import NoPath
from s1ctl.plan.plan import Plan
from s1ctl.plan.planner import plan_contract
from s1ctl.plan.steps import ApplyRevision, BackUp, ProveBackup, RecordPoint, RecordRelease
from s1ctl.plan.view import ReleaseView
from tests.support.releases import make_view
from tests.support.sites import after, installed, upgrade

Row = tuple[str, str, str]
ADDITIONS = ("expand", "backfill", "enforce")


@st.composite
def lines(draw: st.DrawFn) -> tuple[ReleaseView, ...]:
    """Draw two to five releases, each with additions, then contracts, of its own."""
    news: list[tuple[Row, ...]] = []
    for minor in range(draw(st.integers(2, 5))):
        additions = draw(st.integers(0 if minor else 1, 2))
        contracts = draw(st.integers(0, 2)) if additions else 0
        phases = [*ADDITIONS[:additions], *["contract"] * contracts]
        news.append(tuple((f"{minor}{i}{p}", p, f"1.{minor}.0") for i, p in enumerate(phases)))
    whole = accumulate(news)
    return tuple(make_view(f"1.{minor}.0", revisions=rows) for minor, rows in enumerate(whole))


def steps(plan: Plan) -> list[object]:
    return [step for hop in plan.hops for step in hop.steps]


@settings(max_examples=40, deadline=None)
@given(views=lines(), is_contract=st.booleans())
def test_a_lineage_is_applied_in_its_order_and_each_contract_is_proven_first(
    *, views: tuple[ReleaseView, ...], is_contract: bool
) -> None:
    site = installed(views[0])
    phases = {r.id: r for s in views[-1].manifest.schemas for r in s.revisions}
    order = list(phases)
    done, running, proven = list(site.applied["main"]), views[0].version, False
    for step in steps(upgrade(site, *views[1:], is_contract=is_contract)):
        match step:
            case RecordRelease():
                running, proven = Version(step.version), False
            case ProveBackup():
                proven = True
            case ApplyRevision():
                assert step.revision == order[len(done)]
                done.append(step.revision)
                if step.phase == "contract":
                    assert proven
                    assert phases[step.revision].release <= running
                else:
                    assert phases[step.revision].release > running
    if is_contract:
        assert done == order


@settings(max_examples=40, deadline=None)
@given(lines(), st.data())
def test_however_an_upgrade_is_cut_the_same_steps_are_done_in_the_end(
    views: tuple[ReleaseView, ...], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, len(views) - 1))
    whole = steps(upgrade(installed(views[0]), *views[1:], is_contract=True))
    site, pieces = installed(views[0]), []
    for part in (views[1:cut], views[cut:]):
        if part:
            plan = upgrade(site, *part)
            pieces += steps(plan)
            site = after(site, plan, *views)
    pieces += steps(plan_contract(site, views[-1]))
    assert pieces == whole


@settings(max_examples=40, deadline=None)
@given(lines())
def test_no_number_of_a_point_or_backup_is_given_twice(views: tuple[ReleaseView, ...]) -> None:
    made = steps(upgrade(installed(views[0]), *views[1:], is_contract=True))
    backups = [step.backup for step in made if isinstance(step, BackUp)]
    points = [step.point for step in made if isinstance(step, RecordPoint)]
    assert len(set(backups)) == len(backups)
    assert len(set(points)) == len(points)


@settings(max_examples=40, deadline=None)
@given(lines())
def test_a_release_that_is_jumped_over_never_has_its_contract_run_under_an_older_one(
    views: tuple[ReleaseView, ...],
) -> None:
    first, last = views[0], views[-1]
    try:
        plan = upgrade(installed(first), last)
    except NoPath as error:
        refused = error.code
    else:
        refused = None
    if refused is not None:
        assert refused == "S1-N04"
        return
    phases = {r.id: r for s in last.manifest.schemas for r in s.revisions}
    for step in steps(plan):
        if isinstance(step, ApplyRevision) and step.phase == "contract":
            assert phases[step.revision].release <= first.version
