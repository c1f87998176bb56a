"""Plans with what one hop after the other brings: closes, jobs, passwords, a restore."""

import dataclasses
from datetime import UTC, datetime

from packaging.version import Version

from s1ctl.ledger.ledger import Ledger
from s1ctl.plan.plan import Plan, SecretUse, Settings
from s1ctl.plan.planner import plan_change, plan_contract, plan_upgrade
from s1ctl.plan.restore import plan_restore
from s1ctl.plan.rollback import Point
from s1ctl.plan.view import Current, ReleaseView, SiteView
from s1ctl.release.graph import Leg
from s1ctl.release.manifest import Job
from s1ctl.shape import changed
from tests.support.plans import FIRST, install
from tests.support.releases import SETTINGS, make_site, make_view

LINEAGE = (
    ("0001", "expand", "1.0.0"),
    ("0002", "expand", "1.1.0"),
    ("0003", "contract", "1.1.0"),
    ("0004", "expand", "2.0.0"),
    ("0005", "contract", "2.0.0"),
)
ROTATED = Settings(
    values=SETTINGS.values, secrets={"password": SecretUse(version=2, fingerprint="e" * 64)}
)


def with_jobs(view: ReleaseView) -> ReleaseView:
    """Give a release a job before and one after the roll."""
    jobs = tuple(
        Job(name=name, source=view.manifest.compose, image="api", when=when)  # type: ignore[arg-type]
        for name, when in (("warm-up", "before-roll"), ("check-up", "after-roll"))
    )
    return dataclasses.replace(view, manifest=changed(view.manifest, jobs=jobs))


MIDDLE = make_view("1.1.0", revisions=LINEAGE[:3])
LAST = with_jobs(make_view("2.0.0", revisions=LINEAGE))


def at_middle(**changes: object) -> SiteView:
    """Make a site at 1.1.0 whose contract is pending."""
    current = Current(
        release=MIDDLE.digest,
        version=MIDDLE.version,
        instances=install().hops[0].steps[-1].instances,  # type: ignore[union-attr]
        settings=SETTINGS,
        point="p0001",
    )
    usual = {"applied": {"main": ("0001", "0002")}, "services": {"main": "db"}, "next_point": 2}
    return make_site(current, **{**usual, **changes})


def closing() -> Plan:
    """Upgrade to 2.0.0: close 1.1.0, expand, jobs, roll."""
    return plan_upgrade(at_middle(), (LAST,), (Leg(to=Version("2.0.0"), why="it may"),))


def contract() -> Plan:
    """Close 1.1.0 alone."""
    return plan_contract(at_middle(), MIDDLE)


def rotation() -> Plan:
    """Give the database of 1.1.0, and the app that uses it, another password."""
    return plan_change("rotate", at_middle(), dataclasses.replace(MIDDLE, settings=ROTATED))


def restoring() -> Plan:
    """Go back from a contracted 1.1.0 to the point before it, with a backup's data."""
    point = Point(
        id="p0001",
        release=FIRST.digest,
        version="1.0.0",
        running=install().hops[0].steps[-1].instances,  # type: ignore[union-attr]
        settings=SETTINGS,
        revisions={"main": ("0001",)},
        former_point=None,
    )
    site = at_middle(applied={"main": ("0001", "0002", "0003")})
    return plan_restore(site, MIDDLE, FIRST, point, backups={"main": "b0001"}, is_archived=True)


def install_middle(ledger: Ledger) -> None:
    """Record 1.1.0 as installed, as it is before each of these plans."""
    current = at_middle().current
    assert current is not None
    ledger.releases.record_installed(
        digest=current.release,
        version=current.version,
        instances=current.instances,
        settings=current.settings,
        point=current.point,
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )


TURNS = {"closing": closing, "contract": contract, "rotation": rotation, "restoring": restoring}
