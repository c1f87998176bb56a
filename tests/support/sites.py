"""A site after a plan was carried out, as the planner sees it."""

import dataclasses

from packaging.version import Version

from s1ctl.plan.plan import Plan
from s1ctl.plan.planner import plan_install, plan_upgrade
from s1ctl.plan.rollback import Point
from s1ctl.plan.steps import ApplyRevision, BackUp, RecordPoint, RecordRelease
from s1ctl.plan.units import own_addresses
from s1ctl.plan.view import Current, ReleaseView, SiteView
from s1ctl.release.graph import Leg
from tests.support.releases import make_site

SERVICES = {"main": "db"}


def empty() -> SiteView:
    """Make a site whose database is a unit of the platform."""
    return make_site(services=SERVICES)


def installed(view: ReleaseView) -> SiteView:
    """Install a release at an empty site."""
    return after(empty(), plan_install(empty(), view), view)


def upgrade(site: SiteView, *views: ReleaseView, **options: bool) -> Plan:
    """Plan along `views`."""
    legs = tuple(Leg(to=view.version, why="it may") for view in views)
    return plan_upgrade(site, views, legs, **options)


def after(site: SiteView, plan: Plan, *views: ReleaseView) -> SiteView:
    """Do what the steps of a plan say; `views` are all releases that it names."""
    digests = {view.digest: view for view in views}
    for step in (step for hop in plan.hops for step in hop.steps):
        match step:
            case ApplyRevision():
                done = site.applied.get(step.database, ())
                applied = {**site.applied, step.database: (*done, step.revision)}
                site = dataclasses.replace(site, applied=applied)
            case BackUp():
                site = dataclasses.replace(site, next_backup=int(step.backup[1:]) + 1)
            case RecordPoint():
                site = dataclasses.replace(site, next_point=int(step.point[1:]) + 1)
            case RecordRelease():
                current = Current(
                    release=step.release,
                    version=Version(step.version),
                    instances=step.instances,
                    settings=plan.settings[str(step.release)],
                    point=step.point,
                )
                site = dataclasses.replace(site, current=current)
    owned = own_addresses(site, tuple(digests.values()))
    return dataclasses.replace(site, addresses=owned)


def point_of(site: SiteView, name: str = "p0001", former: str | None = None) -> Point:
    """Record how a site stands."""
    assert site.current is not None
    return Point(
        id=name,
        release=site.current.release,
        version=str(site.current.version),
        running=site.current.instances,
        settings=site.current.settings,
        revisions=dict(site.applied),
        former_point=former,
    )
