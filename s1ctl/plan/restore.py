"""Make the plan back past a contract: backups in the place of what was contracted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from s1ctl.errors import NoPath
from s1ctl.plan.close import back_up
from s1ctl.plan.plan import Hop, Plan
from s1ctl.plan.planner import pull_step
from s1ctl.plan.rollback import (
    Point,
    contracts_since,
    current_of,
    differences,
    passwords_back,
    places,
    record_back,
    settings_back,
    units_of,
)
from s1ctl.plan.steps import (
    AnyStep,
    Archive,
    CheckSite,
    Instance,
    RestoreBackup,
    Retire,
    Roll,
    StopApps,
)
from s1ctl.plan.units import ORDER, roll_order
from s1ctl.plan.view import Current, ReleaseView, SiteView
from s1ctl.release.manifest import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """A backup of a database, and the revisions that were applied in it."""

    id: str
    database: str
    revisions: tuple[str, ...]
    is_proven: bool


def choose_dumps(
    site: SiteView,
    current_view: ReleaseView,
    point: Point,
    dumps: Iterable[Dump],
    *,
    named: str | None = None,
) -> dict[str, str]:
    """Choose a backup for each database that was contracted since a point; newest come first.

    One serves when it is proven, has all that the point had, and none of the contracts since.
    `named` is taken for its database, if it serves. Raises `NoPath` S1-N22, S1-N23.
    """
    since = contracts_since(site, current_view.manifest, point.revisions)
    if not since:
        raise NoPath(
            f"nothing was contracted since point {point.id}, so that no backup is needed",
            code="S1-N22",
            hint="run `s1ctl rollback`, which loses no row",
        )
    offered = tuple(dumps)
    chosen: dict[str, str] = {}
    for database, contracts in since.items():
        fitting = [d for d in offered if _serves(d, database, contracts, point)]
        of_database = {d.id for d in offered if d.database == database}
        if named in of_database:
            fitting = [dump for dump in fitting if dump.id == named]
        if not fitting:
            raise _no_dump(database, contracts[0], point, named if named in of_database else None)
        chosen[database] = fitting[0].id
    if named is not None and named not in chosen.values():
        raise _no_dump(next(iter(since)), next(iter(since.values()))[0], point, named)
    return chosen


def _serves(dump: Dump, database: str, contracts: tuple[str, ...], point: Point) -> bool:
    held = set(dump.revisions)
    return (
        dump.database == database
        and dump.is_proven
        and held.isdisjoint(contracts)
        and held.issuperset(point.revisions.get(database, ()))
    )


def _no_dump(database: str, contract: str, point: Point, named: str | None) -> NoPath:
    what = f"backup {named} does not hold" if named else "no proven backup holds"
    return NoPath(
        f"{what} `{database}` as release {point.version} needs it, from before {contract}",
        code="S1-N23",
        hint="run `s1ctl backup list`; `s1ctl backup prove ID` proves one",
    )


def plan_restore(
    site: SiteView,
    current_view: ReleaseView,
    former: ReleaseView,
    point: Point,
    *,
    backups: Mapping[str, str],
    is_archived: bool = False,
) -> Plan:
    """Plan a restore: apps stop, `backups` (by database) come back, and the point's units start.

    Databases that are not in `backups` keep their rows. With `is_archived` those that are get
    dumped first, under new numbers. `point` may be how the site stands now.
    """
    current = current_of(site)
    units = units_of(current_view.manifest, former.manifest)
    instances = places(site, current, point)
    steps = (
        StopApps(instances=_apps(current, units)),
        *passwords_back(site, former, point),
        *(_archives(site, point, backups) if is_archived else ()),
        *(
            RestoreBackup(backup=backup, database=database, release=point.release)
            for database, backup in sorted(backups.items())
        ),
        *_starts(current, instances, former, units),
        record_back(current, point, instances),
    )
    names = ", ".join(f"{name} from {backup}" for name, backup in sorted(backups.items()))
    hop = Hop(to=point.release, version=point.version, steps=steps, why=f"restore {names}")
    return Plan(
        verb="restore",
        site=site.name,
        target_id=site.target_id,
        start=current.release,
        start_version=str(current.version),
        stage=(CheckSite(releases=(point.release,)), pull_step(site, former)),
        hops=(hop,),
        settings=settings_back(point),
    )


def _apps(current: Current, units: Mapping[str, Unit]) -> tuple[Instance, ...]:
    return tuple(i for i in current.instances if units[i.unit].role == "app")


def _archives(site: SiteView, point: Point, backups: Mapping[str, str]) -> tuple[Archive, ...]:
    return tuple(
        Archive(backup=each.backup, database=each.database, release=each.release)
        for each in back_up(site, sorted(backups), point.release)
    )


def _starts(
    current: Current,
    instances: tuple[Instance, ...],
    former: ReleaseView,
    units: Mapping[str, Unit],
) -> tuple[AnyStep, ...]:
    """Start the apps of the point, which nothing runs beside, then bring the edges to it.

    Apps that the point's release does not have are stopped already.
    """
    order = {unit.name: place for place, unit in enumerate(roll_order(former.manifest.units))}
    apps = [i for i in instances if units[i.unit].role == "app"]
    starts = [
        Roll(role="app", replace=units[i.unit].replace, to=i)
        for i in sorted(apps, key=lambda i: order.get(i.unit, 0))
    ]
    others = [s for s in differences(current, instances, units) if s.role != "app"]
    return (
        *(s for s in others if s.role == "data"),
        *starts,
        *sorted(
            (s for s in others if s.role == "edge"),
            key=lambda s: (isinstance(s, Retire), ORDER[s.role]),
        ),
    )
