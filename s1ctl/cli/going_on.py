"""`s1ctl resume` and `s1ctl rollback`: go on with what was interrupted, or go back."""

import typer

from s1ctl.cli import context
from s1ctl.cli.operate import DryRun, Events, Probe, Yes, run_plan, watch_of
from s1ctl.errors import UsageError


def resume(line: typer.Context, *, probe: Probe = None, events: Events = None) -> None:
    """Go on with an interrupted operation, in its direction."""
    from s1ctl.cli.outcome import report
    from s1ctl.cli.surroundings import acting
    from s1ctl.cli.watch import watching
    from s1ctl.operation import operate

    here = context.of(line)
    operation = here.ledger.operations.unfinished()
    if operation is None:
        raise UsageError(
            "no operation is unfinished here", code="S1-U92", hint="run `s1ctl status`"
        )
    with watching(here, events) as observe, acting(here, observe) as surroundings:
        outcome = operate.resume(surroundings, operation, watch=watch_of(probe))
    raise typer.Exit(report(here, outcome))


def rollback(
    line: typer.Context,
    *,
    dry_run: DryRun = False,
    probe: Probe = None,
    events: Events = None,
    yes: Yes = False,
) -> None:
    """Go back to the release before; no row is lost.

    Where an operation is unfinished, its hop is taken back instead.
    """
    from s1ctl.operation.gather import rollback_plan

    here = context.of(line)
    if here.ledger.operations.unfinished() is not None:
        raise typer.Exit(_take_back(here, probe=probe, events=events, is_yes=yes))
    code = run_plan(here, rollback_plan, is_dry=dry_run, is_yes=yes, probe=probe, events=events)
    raise typer.Exit(code)


def _take_back(here: context.Here, *, probe: str | None, events: str | None, is_yes: bool) -> int:
    from s1ctl.cli.outcome import report
    from s1ctl.cli.surroundings import acting
    from s1ctl.cli.watch import watching
    from s1ctl.operation.operate import take_back

    operation = here.ledger.operations.unfinished()
    assert operation is not None
    question = f"take back the hop at which operation {operation.id} ({operation.verb}) stands?"
    if not here.confirm(question, is_yes=is_yes):
        raise typer.Abort
    with watching(here, events) as observe, acting(here, observe) as surroundings:
        outcome = take_back(surroundings, operation, watch=watch_of(probe))
    return report(here, outcome)
