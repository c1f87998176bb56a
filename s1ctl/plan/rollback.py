"""Make the plan back to a recorded point."""

from collections.abc import Mapping
from dataclasses import dataclass

from s1ctl.errors import NoPath
from s1ctl.oci.digest import Digest
from s1ctl.plan.plan import Hop, Plan, Settings
from s1ctl.plan.planner import pull_step
from s1ctl.plan.steps import AnyStep, Instance, RecordRelease, Retire, Roll
from s1ctl.plan.units import ORDER
from s1ctl.plan.view import Current, ReleaseView, SiteView
from s1ctl.release.manifest import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What a rollback goes back to; `former_point` is where the next one would go."""

    id: str
    release: Digest
    version: str
    running: tuple[Instance, ...]
    settings: Settings
    revisions: Mapping[str, tuple[str, ...]]
    former_point: str | None


def plan_rollback(
    site: SiteView, current_view: ReleaseView, former: ReleaseView, point: Point
) -> Plan:
    """Plan the way back to a point: units newest first; the schema stays expanded.

    Raises `NoPath` S1-N03 when a contract was finished since the point was made.
    """
    current = _current(site)
    _refuse_past_contract(site, current_view, point)
    units = {u.name: u for u in (*current_view.manifest.units, *former.manifest.units)}
    steps = _back(current, point, units)
    record = RecordRelease(
        release=point.release,
        version=point.version,
        instances=point.running,
        former=current.release,
        point=point.former_point,
    )
    hop = Hop(
        to=point.release,
        version=point.version,
        steps=(*steps, record),
        why=f"point {point.id} was recorded before {current.version}",
    )
    return Plan(
        verb="rollback",
        site=site.name,
        target_id=site.target_id,
        start=current.release,
        start_version=str(current.version),
        stage=(pull_step(site, former),),
        hops=(hop,),
        settings={str(point.release): point.settings},
    )


def _back(current: Current, point: Point, units: Mapping[str, Unit]) -> tuple[AnyStep, ...]:
    """Undo the difference between what runs and the point: edges first, then apps, then data."""
    wanted = {i.unit: i for i in point.running}
    running = {i.unit: i for i in current.instances}
    steps: list[Roll | Retire] = []
    for name in {**running, **wanted}:
        to, former = wanted.get(name), running.get(name)
        if to == former:
            continue
        if to is None and former is not None:
            steps.append(Retire(role=units[name].role, former=former))
        elif to is not None:
            manner = "recreate" if units[name].role == "data" else units[name].replace
            steps.append(Roll(role=units[name].role, replace=manner, to=to, former=former))
    return tuple(sorted(steps, key=lambda step: -ORDER[step.role]))


def _current(site: SiteView) -> Current:
    if site.current is None:
        raise NoPath(
            "nothing is installed here, so there is nothing to go back from",
            code="S1-N05",
            hint="run `s1ctl install --bundle FILE`",
        )
    return site.current


def _refuse_past_contract(site: SiteView, view: ReleaseView, point: Point) -> None:
    for schema in view.manifest.schemas:
        since = set(site.applied.get(schema.database, ())) - set(
            point.revisions.get(schema.database, ())
        )
        contracts = [r.id for r in schema.revisions if r.phase == "contract" and r.id in since]
        if contracts:
            raise NoPath(
                f"`{schema.database}` was contracted by {contracts[0]} after point {point.id}: "
                f"release {point.version} cannot run on it",
                code="S1-N03",
                hint="restore a backup instead; writes made since it would be lost",
            )
