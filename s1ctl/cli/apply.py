"""`s1ctl apply`: make the site equal its file."""

import typer

from s1ctl.cli import context
from s1ctl.cli.operate import DryRun, Events, Probe, Yes, run_plan


def apply(
    line: typer.Context,
    *,
    dry_run: DryRun = False,
    probe: Probe = None,
    events: Events = None,
    yes: Yes = False,
) -> None:
    """Make the site equal its file: units that use what changed, or do not run, are replaced.

    With the same plan, steps and rollback point as an upgrade.
    """
    from s1ctl.operation.mending import mend_plan

    here = context.of(line)
    code = run_plan(here, mend_plan, is_dry=dry_run, is_yes=yes, probe=probe, events=events)
    raise typer.Exit(code)
