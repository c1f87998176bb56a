"""Make the plan back to a recorded point."""

from collections.abc import Mapping
from dataclasses import dataclass

from s1ctl.errors import NoPath
from s1ctl.oci.digest import Digest
from s1ctl.plan.passwords import password_steps
from s1ctl.plan.plan import Hop, Plan, Settings
from s1ctl.plan.planner import pull_step
from s1ctl.plan.slots import beside
from s1ctl.plan.steps import Instance, RecordRelease, Retire, Roll, SetPassword
from s1ctl.plan.units import ORDER
from s1ctl.plan.view import Current, ReleaseView, SiteView
from s1ctl.release.manifest import ReleaseManifest, Unit


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

    The point may lie several hops back. Raises `NoPath` S1-N03 when a contract was finished since
    the point was made, S1-N26 when the databases lack what they had then.
    """
    current = current_of(site)
    _refuse_past_contract(site, current_view, point)
    _refuse_ahead(site, point)
    instances = places(site, current, point)
    units = units_of(current_view.manifest, former.manifest)
    steps = (
        *passwords_back(site, former, point),
        *sorted(differences(current, instances, units), key=lambda step: -ORDER[step.role]),
        record_back(current, point, instances),
    )
    hop = Hop(
        to=point.release,
        version=point.version,
        steps=steps,
        why=f"point {point.id} was recorded before {_what_followed(current, point)}",
    )
    return Plan(
        verb="rollback",
        site=site.name,
        target_id=site.target_id,
        start=current.release,
        start_version=str(current.version),
        stage=(pull_step(site, former),),
        hops=(hop,),
        settings=settings_back(point),
    )


def current_of(site: SiteView) -> Current:
    """Hand out what is installed. Raises `NoPath` S1-N05."""
    if site.current is None:
        raise NoPath(
            "nothing is installed here, so there is nothing to go back from",
            code="S1-N05",
            hint="run `s1ctl install --bundle FILE`",
        )
    return site.current


def contracts_since(
    site: SiteView, manifest: ReleaseManifest, revisions: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Name the contracts of each database that were finished since it stood at `revisions`."""
    found = {
        schema.database: tuple(
            revision.id
            for revision in schema.revisions
            if revision.phase == "contract"
            and revision.id in site.applied.get(schema.database, ())
            and revision.id not in revisions.get(schema.database, ())
        )
        for schema in manifest.schemas
        if schema.database in revisions
    }
    return {database: names for database, names in found.items() if names}


def places(site: SiteView, current: Current, point: Point) -> tuple[Instance, ...]:
    """Say where the point's units shall run: where they did, unless that place is taken."""
    return tuple(
        beside(instance, current.instance(instance.unit), site.addresses)
        for instance in point.running
    )


def units_of(newer: ReleaseManifest, older: ReleaseManifest) -> dict[str, Unit]:
    """Find the units of both releases by name; the older one says how they are replaced."""
    return {unit.name: unit for unit in (*newer.units, *older.units)}


def passwords_back(site: SiteView, former: ReleaseView, point: Point) -> tuple[SetPassword, ...]:
    """Give the databases the passwords that the point's units use."""
    schemas = former.manifest.schemas
    return password_steps(site, schemas, to=point.settings, release=point.release)


def differences(
    current: Current, instances: tuple[Instance, ...], units: Mapping[str, Unit]
) -> tuple[Roll | Retire, ...]:
    """List what brings the running units to `instances`, in no order."""
    wanted = {i.unit: i for i in instances}
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
    return tuple(steps)


def record_back(current: Current, point: Point, instances: tuple[Instance, ...]) -> RecordRelease:
    """Record the point's release as installed again."""
    return RecordRelease(
        release=point.release,
        version=point.version,
        instances=instances,
        former=current.release,
        point=point.former_point,
    )


def settings_back(point: Point) -> dict[str, Settings]:
    """Give every release that a unit of the point comes from the point's settings.

    A unit that did not change stays one of an older release; what it uses is the same in both.
    """
    releases = {str(instance.release) for instance in point.running} | {str(point.release)}
    return dict.fromkeys(sorted(releases), point.settings)


def _what_followed(current: Current, point: Point) -> str:
    if current.release == point.release:
        return f"{current.version} got other settings"
    return str(current.version)


def _refuse_past_contract(site: SiteView, view: ReleaseView, point: Point) -> None:
    for database, contracts in contracts_since(site, view.manifest, point.revisions).items():
        raise NoPath(
            f"`{database}` was contracted by {contracts[0]} after point {point.id}: "
            f"release {point.version} cannot run on it",
            code="S1-N03",
            hint="run `s1ctl rollback --restore`, which first shows what would be lost",
        )


def _refuse_ahead(site: SiteView, point: Point) -> None:
    """Refuse a point whose revisions were taken away since, as a restore does."""
    for database, then in point.revisions.items():
        lacking = [revision for revision in then if revision not in site.applied.get(database, ())]
        if lacking and database in site.applied:
            raise NoPath(
                f"`{database}` lacks {lacking[0]}, which it had at point {point.id}",
                code="S1-N26",
                hint=f"upgrade to it: `s1ctl upgrade --to {point.version}`",
            )
