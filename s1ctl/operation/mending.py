"""Plan what makes a site equal its file: other settings, and what does not run any more."""

import dataclasses

from s1ctl.operation.context import Context
from s1ctl.operation.gather import installed_release, recorded_view, release_view, site_view
from s1ctl.plan.mend import plan_mend
from s1ctl.plan.plan import Plan
from s1ctl.plan.planner import plan_change
from s1ctl.plan.steps import Instance
from s1ctl.targets.docker_running import runs


def mend_plan(context: Context) -> Plan:
    """Plan the installed release with what the site file says now; empty where nothing differs.

    Units that are gone or stopped are made to run again. Where one of them holds data, that comes
    first, with the settings that were recorded; what else differs is left to the next plan.
    """
    installed = installed_release(context)
    down = _down(context, installed.instances)
    manifest = context.release(installed.digest).manifest
    if any(manifest.unit(name).role == "data" for name in down):
        view = recorded_view(context, installed.digest, installed.settings)
        return plan_mend(dataclasses.replace(site_view(context, is_asked=False), down=down), view)
    view = release_view(context, installed.digest)
    return plan_change("apply", dataclasses.replace(site_view(context, view), down=down), view)


def _down(context: Context, instances: tuple[Instance, ...]) -> frozenset[str]:
    """Name the units of which a replica does not run."""
    running = {each.container for each in context.target.running() if runs(each)}
    return frozenset(
        instance.unit
        for instance in instances
        if any(placement.container not in running for placement in instance.placements)
    )
