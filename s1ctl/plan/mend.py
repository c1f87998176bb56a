"""Plan a mend: the installed release as it was, for units that do not run any more."""

import dataclasses

from s1ctl.plan.plan import Plan
from s1ctl.plan.planner import plan_change, pull_step
from s1ctl.plan.steps import LoadRelease, Prepare
from s1ctl.plan.view import ReleaseView, SiteView
from s1ctl.shape import changed


def plan_mend(site: SiteView, view: ReleaseView) -> Plan:
    """Plan to have `site.down` running again, with the settings that it had.

    A data unit is started in the stage, where it was and with its data. While it is down its
    database cannot be asked: an installed release has all its revisions. Nor can the site be
    checked, and it need not be: nothing new is brought.
    """
    known = {s.database: tuple(r.id for r in s.revisions) for s in view.manifest.schemas}
    asked = dataclasses.replace(site, applied=known)
    plan = plan_change("apply", dataclasses.replace(asked, down=_others(site, view)), view)
    current = site.current
    assert current is not None
    data = tuple(i for i in current.instances if i.unit in site.down - _others(site, view))
    prepare = Prepare(release=view.digest, version=str(view.version), data=data)
    load = LoadRelease(release=view.digest, version=str(view.version))
    return changed(plan, stage=(load, pull_step(site, view), prepare))


def _others(site: SiteView, view: ReleaseView) -> frozenset[str]:
    """Name the units that are down and can be replaced without a thought for their data."""
    return site.down - {unit.name for unit in view.manifest.units if unit.role == "data"}
