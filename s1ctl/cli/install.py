"""`s1ctl install`: the first release of a site."""

from pathlib import Path
from typing import Annotated

import typer

from s1ctl.cli import context
from s1ctl.cli.operate import DryRun, Events, Probe, Yes, run_plan


def install(
    line: typer.Context,
    *,
    bundle: Annotated[Path, typer.Option(metavar="FILE", help="The bundle to install.")],
    dry_run: DryRun = False,
    probe: Probe = None,
    events: Events = None,
    yes: Yes = False,
) -> None:
    """Load a bundle and install its release."""
    from s1ctl.cli.load import load_file
    from s1ctl.oci.digest import Digest
    from s1ctl.operation.gather import install_plan

    here = context.of(line)
    text, loaded = load_file(here, bundle)
    here.output.say("\n".join(text))
    digest = Digest(loaded["digest"])
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
