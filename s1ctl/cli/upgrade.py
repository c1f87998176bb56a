"""`s1ctl upgrade`: along the path of versions to another release."""

from pathlib import Path
from typing import Annotated

import typer

from s1ctl.cli import context
from s1ctl.cli.operate import Bundles, DryRun, Events, Probe, Yes, run_plan
from s1ctl.cli.plan import AcceptGate, Contract, Reason, To, accepted_gates, parse_version


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
    contract: Contract = False,
    accept_gate: AcceptGate = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    probe: Probe = None,
    events: Events = None,
    yes: Yes = False,
) -> None:
    """Upgrade to a release, over those that its path needs.

    Bundles of the path are loaded first: the given files, and what the folders have of it.
    """
    from s1ctl.cli.bundles import load_path, refuse_dry_load
    from s1ctl.operation.gather import upgrade_plan

    here = context.of(line)
    goal = parse_version(to)
    accepted = accepted_gates(accept_gate or [], reason)
    if dry_run:
        refuse_dry_load(bundle)
    else:
        load_path(here, bundle, goal, accepted)
    raise typer.Exit(
        run_plan(
            here,
            lambda surroundings: upgrade_plan(
                surroundings, goal, is_stage=stage, is_contract=contract, accepted=accepted
            ),
            approved=plan,
            is_dry=dry_run,
            is_yes=yes,
            probe=probe,
            events=events,
        )
    )
