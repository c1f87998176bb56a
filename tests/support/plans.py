"""An install and an upgrade, as plans."""

from datetime import UTC, datetime

from packaging.version import Version

from s1ctl.ledger.ledger import Ledger
from s1ctl.plan.plan import Plan
from s1ctl.plan.planner import plan_install, plan_upgrade
from s1ctl.plan.view import Current
from s1ctl.release.graph import Leg
from tests.support.releases import make_site, make_view

FIRST = make_view("1.0.0")
SECOND = make_view("1.1.0", revisions=(("0001", "expand", "1.1.0"),))


def install() -> Plan:
    return plan_install(make_site(), FIRST)


def upgrade() -> Plan:
    record = install().hops[0].steps[-1]
    current = Current(
        release=FIRST.digest,
        version=FIRST.version,
        instances=record.instances,  # type: ignore[union-attr]
        settings=FIRST.settings,
        point=None,
    )
    leg = Leg(to=Version("1.1.0"), why="it may")
    return plan_upgrade(make_site(current, applied={"main": ("0000",)}), (SECOND,), (leg,))


def install_first(ledger: Ledger) -> None:
    """Record the release at which the upgrade begins."""
    record = install().hops[0].steps[-1]
    ledger.releases.record_installed(
        digest=FIRST.digest,
        version=FIRST.version,
        instances=record.instances,  # type: ignore[union-attr]
        settings=FIRST.settings,
        point=None,
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def number_of(plan: Plan, kind: str, *, which: int = 0) -> str:
    steps = [*plan.stage, *(s for hop in plan.hops for s in hop.steps)]
    return str([i for i, s in enumerate(steps, 1) if type(s).__name__ == kind][which])
