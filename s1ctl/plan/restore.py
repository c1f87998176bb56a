"""Make the plan back past a contract: backups in the place of what was contracted."""

from collections.abc import Mapping

from s1ctl.plan.close import back_up
from s1ctl.plan.plan import Hop, Plan
from s1ctl.plan.planner import pull_step
from s1ctl.plan.rollback import (
    Point,
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
