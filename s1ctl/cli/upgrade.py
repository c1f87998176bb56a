"""`s1ctl upgrade`: along the path of versions to another release."""

from pathlib import Path
from typing import Annotated

import typer

from s1ctl.cli import context
from s1ctl.cli.operate import Bundles, DryRun, Events, Probe, Yes, run_plan
from s1ctl.cli.plan import To, parse_version


def upgrade(
    line: typer.Context,
    *,
    to: To,
    bundle: Bundles = None,
    plan: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The approved plan; another is refused.")
    ] = None,
    stage: Annotated[
        bool, typer.Option("--stage", help="Only prepare: nothing that users notice.")
    ] = False,
    dry_run: DryRun = False,
    probe: Probe = None,
    events: Events = None,
    yes: Yes = False,
) -> None:
    """Upgrade to a loaded release."""
    from s1ctl.cli.load import load_file
    from s1ctl.operation.gather import upgrade_plan

    here = context.of(line)
    goal = parse_version(to)
    for file in bundle or ():
        here.output.say("\n".join(load_file(here, file)[0]))
    raise typer.Exit(
        run_plan(
            here,
            lambda surroundings: upgrade_plan(surroundings, goal, is_stage=stage),
            approved=plan,
            is_dry=dry_run,
            is_yes=yes,
            probe=probe,
            events=events,
        )
    )
