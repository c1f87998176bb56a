"""`s1ctl install`: the first release of a site."""

import typer

from s1ctl.cli import context
from s1ctl.cli.operate import Bundles, DryRun, Events, Probe, Yes, run_plan


def install(
    line: typer.Context,
    *,
    bundle: Bundles = None,
    dry_run: DryRun = False,
    probe: Probe = None,
    events: Events = None,
    yes: Yes = False,
) -> None:
    """Load a bundle and install its release."""
    from s1ctl.cli.bundles import choose_dry_install, choose_install
    from s1ctl.operation.gather import install_plan

    here = context.of(line)
    digest = choose_dry_install(here, bundle) if dry_run else choose_install(here, bundle)
    raise typer.Exit(
        run_plan(
            here,
            lambda surroundings: install_plan(surroundings, digest),
            is_dry=dry_run,
            is_yes=yes,
            probe=probe,
            events=events,
        )
    )
