"""`s1ctl resume` and `s1ctl rollback`: go on with what was interrupted, or go back."""

from typing import TYPE_CHECKING, Annotated

import typer

from s1ctl.cli import context
from s1ctl.cli.operate import DryRun, Events, Probe, Yes, run_plan, watch_of
from s1ctl.errors import UsageError

if TYPE_CHECKING:
    from s1ctl.operation.context import Context
    from s1ctl.plan.plan import Plan


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
        with surroundings.interrupts.closing():
            code = report(here, outcome)
    raise typer.Exit(code)


def rollback(
    line: typer.Context,
    *,
    to: Annotated[
        str | None, typer.Option(metavar="POINT", help="Back to this point, several hops or one.")
    ] = None,
    restore: Annotated[
        bool, typer.Option("--restore", help="Past a contract: backups in the place of the data.")
    ] = False,
    backup: Annotated[
        str | None, typer.Option(metavar="BACKUP", help="With `--restore`: from this backup.")
    ] = None,
    accept_data_loss: Annotated[
        bool, typer.Option("--accept-data-loss", help="With `--restore`: the rows shown may go.")
    ] = False,
    no_archive: Annotated[
        bool, typer.Option("--no-archive", help="With `--restore`: keep no dump of what goes.")
    ] = False,
    dry_run: DryRun = False,
    probe: Probe = None,
    events: Events = None,
    yes: Yes = False,
) -> None:
    """Go back to the release before; no row is lost, unless `--restore` is given.

    Where an operation is unfinished, its hop is taken back instead.
    """
    from s1ctl.cli.restoring import price_of
    from s1ctl.operation.gather import restore_plan, rollback_plan

    def make_plan(surroundings: "Context") -> "Plan":
        if not restore:
            return rollback_plan(surroundings, to)
        return restore_plan(surroundings, to, backup=backup, is_archived=not no_archive)

    here = context.of(line)
    if here.ledger.operations.unfinished() is not None:
        if dry_run:
            _show_take_back(here)
            return
        raise typer.Exit(_take_back(here, probe=probe, events=events, is_yes=yes))
    code = run_plan(
        here,
        make_plan,
        is_dry=dry_run,
        is_yes=yes,
        probe=probe,
        events=events,
        price=price_of(is_accepted=accept_data_loss) if restore else None,
    )
    raise typer.Exit(code)


def _show_take_back(here: context.Here) -> None:
    """Say what would be undone, and do nothing."""
    from s1ctl.cli.surroundings import make_context
    from s1ctl.operation.operate import list_take_back
    from s1ctl.plan.explain import describe_step
    from s1ctl.shape import plain

    operation = here.ledger.operations.unfinished()
    assert operation is not None
    items = list_take_back(make_context(here), operation)
    what = f"operation {operation.id} ({operation.verb})"
    lines = [f"{item.number:>3}  take back: {describe_step(item.step)}" for item in items]
    here.output.result(
        [f"to take back of {what}, newest first:", *lines]
        if lines
        else f"nothing of {what} is to be taken back",
        {
            "operation": operation.id,
            "undo": [{"number": item.number, **plain(item.step)} for item in items],
        },
    )


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
        with surroundings.interrupts.closing():
            return report(here, outcome, is_way_back=True)
