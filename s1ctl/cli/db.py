"""`s1ctl db`: the database side alone."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from s1ctl.cli import context
from s1ctl.cli.operate import DryRun, Events, Probe, Yes, run_plan

if TYPE_CHECKING:
    from s1ctl.operation.standing import DatabaseStanding

app = typer.Typer(help="The database side alone.")


@app.command()
def status(line: typer.Context) -> None:
    """Show where each database stands in its lineage, and what is pending."""
    from s1ctl.cli.surroundings import look
    from s1ctl.operation.standing import standings

    here = context.of(line)
    found = standings(look(here))
    text = [row for one in found for row in describe(one)]
    here.output.result(
        text or ["the installed release has no database"],
        {"databases": [document(one) for one in found]},
    )


@app.command()
def contract(
    line: typer.Context,
    *,
    dry_run: DryRun = False,
    probe: Probe = None,
    events: Events = None,
    yes: Yes = False,
) -> None:
    """Take away what only the release before needed; past it only a restore goes back."""
    from s1ctl.operation.gather import contract_plan

    here = context.of(line)
    code = run_plan(here, contract_plan, is_dry=dry_run, is_yes=yes, probe=probe, events=events)
    raise typer.Exit(code)


@app.command()
def undo(
    line: typer.Context,
    *,
    database: Annotated[
        str | None, typer.Argument(help="The database, where there are several.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Take back the newest revision that only added something, after a rollback.

    Refused while the installed release needs it. What it added goes, with what was written there.
    """
    from s1ctl.cli.surroundings import acting, unwatched
    from s1ctl.operation.operate import refuse_if_unfinished
    from s1ctl.operation.standing import find_undoing
    from s1ctl.operation.standing import undo as act
    from s1ctl.shape import plain

    here = context.of(line)
    with acting(here, unwatched) as surroundings:
        refuse_if_unfinished(surroundings)
        found = find_undoing(surroundings, database)
        what = f"{found.revision.phase} {found.revision.id} of {found.revision.release}"
        where = found.schema.database
        if not here.confirm(f"take back {what} in {where}, and what it holds?", is_yes=yes):
            raise typer.Abort
        record = act(surroundings, found, here.notify)
    here.close()
    here.output.result(f"taken back: {what} in {where}", {"database": where, **plain(record)})


def describe(one: "DatabaseStanding") -> list[str]:
    """Say where a database stands."""
    total = len(one.applied) + len(one.pending)
    head = one.applied[-1] if one.applied else "nothing"
    lines = [f"{one.database}: {len(one.applied)} of {total} revisions applied, at {head}"]
    if one.standing == "unknown":
        lines.append("  not of this release's lineage: call the vendor")
    lines += [f"  pending  {r.phase} {r.id} of {r.release}" for r in one.pending]
    lines += [f"  newer    {name}, of a release that is not installed" for name in one.newer]
    if one.contracts:
        lines.append("  next: `s1ctl db contract`, when nobody wants to go back any more")
    return lines


def document(one: "DatabaseStanding") -> dict[str, Any]:
    """Make the plain data of a database's standing."""
    return {
        "database": one.database,
        "standing": one.standing,
        "applied": list(one.applied),
        "pending": [
            {"revision": r.id, "phase": r.phase, "release": str(r.release)} for r in one.pending
        ],
        "newer": list(one.newer),
        "contract": [r.id for r in one.contracts],
    }
