"""`s1ctl upgrade`: along the path of versions to another release."""

from pathlib import Path
from typing import Annotated

import typer

from s1ctl.cli import context
from s1ctl.cli.operate import Bundles, DryRun, Events, Probe, Yes, run_plan
from s1ctl.cli.plan import To, parse_version
from s1ctl.errors import UsageError


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
    contract: Annotated[
        bool,
        typer.Option(
            "--contract", help="Also take away what only the former release needed; no way back."
        ),
    ] = False,
    accept_gate: Annotated[
        list[str] | None,
        typer.Option(metavar="GATE", help="Take this gate as passed, for `--reason`."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why the gates are taken as passed.")] = "",
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
    accepted = accepted_gates(accept_gate or [], reason)
    for file in bundle or ():
        here.output.say("\n".join(load_file(here, file)[0]))
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


def accepted_gates(names: list[str], reason: str) -> dict[str, str]:
    """Give each accepted gate the reason. Raises `UsageError` S1-U114 where there is none."""
    if names and not reason.strip():
        raise UsageError(
            f"nothing says why gate `{names[0]}` is taken as passed",
            code="S1-U114",
            hint=f'give it: `--accept-gate {names[0]} --reason "…"`; it is recorded',
        )
    return dict.fromkeys(names, reason.strip())
