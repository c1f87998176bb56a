"""`s1ctl backup`: dumps of the platform's databases, and whether they can be relied on."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s1ctl.cli import context
from s1ctl.cli.operate import DryRun, Events, Probe, Yes, run_plan
from s1ctl.cli.output import table
from s1ctl.cli.progress import ago, duration, size

if TYPE_CHECKING:
    from s1ctl.ledger.backups import Backup

app = typer.Typer(help="Dumps of the platform's databases.")
Id = Annotated[str, typer.Argument(metavar="ID", help="The backup, as `backup list` names it.")]


@app.command()
def create(
    line: typer.Context,
    *,
    database: Annotated[
        str | None, typer.Option(metavar="NAME", help="This database; otherwise each.")
    ] = None,
) -> None:
    """Dump each database in one snapshot, while the platform runs."""
    from s1ctl.cli.surroundings import acting, unwatched
    from s1ctl.operation.backing_up import create_backups

    here = context.of(line)
    with acting(here, unwatched) as surroundings:
        made = create_backups(surroundings, database, here.notify)
    here.close()
    text = [f"backup {b.id} of {b.database}: {_what(b)}, at {b.path}" for b in made]
    text += [f"next: `s1ctl backup prove {b.id}`" for b in made]
    here.output.result(
        text or ["the installed release has no database"],
        {"backups": [document(backup) for backup in made]},
    )


@app.command("list")
def list_backups(line: typer.Context) -> None:
    """List the backups, newest first: age, size, rows, and when each was proven."""
    here = context.of(line)
    found = here.ledger.backups.all()
    text = describe(found, at=datetime.now(UTC)) if found else ["there are no backups"]
    here.output.result(text, {"backups": [document(backup) for backup in found]})


@app.command()
def prove(line: typer.Context, *, backup: Id) -> None:
    """Restore a backup aside, never into the platform's database, and compare it."""
    from s1ctl.cli.surroundings import acting, unwatched
    from s1ctl.operation.backing_up import prove_backup

    here = context.of(line)
    with acting(here, unwatched) as surroundings:
        proven = prove_backup(surroundings, backup, here.notify)
    here.close()
    assert proven.proof is not None
    here.output.result(
        f"backup {proven.id} of {proven.database} is proven: restored aside in"
        f" {duration(proven.proof.seconds)}, its schema and all {proven.rows} rows in"
        f" {len(proven.counts)} tables are what was dumped",
        document(proven),
    )


@app.command()
def restore(
    line: typer.Context,
    *,
    backup: Id,
    accept_data_loss: Annotated[
        bool, typer.Option("--accept-data-loss", help="The rows shown may go.")
    ] = False,
    no_archive: Annotated[
        bool, typer.Option("--no-archive", help="Keep no dump of what goes.")
    ] = False,
    dry_run: DryRun = False,
    probe: Probe = None,
    events: Events = None,
    yes: Yes = False,
) -> None:
    """Put a proven backup in the place of the data; every write made since is lost.

    The apps are stopped meanwhile and started again. The release stays as it is; to go back past
    a contract with one, use `rollback --restore`.
    """
    from s1ctl.cli.restoring import price_of
    from s1ctl.operation.backing_up import restore_here_plan

    here = context.of(line)
    code = run_plan(
        here,
        lambda surroundings: restore_here_plan(surroundings, backup, is_archived=not no_archive),
        is_dry=dry_run,
        is_yes=yes,
        probe=probe,
        events=events,
        price=price_of(is_accepted=accept_data_loss),
    )
    raise typer.Exit(code)


def describe(backups: "Sequence[Backup]", *, at: datetime) -> list[str]:
    """Lay the backups out in a table."""
    rows = [("backup", "database", "age", "size", "rows", "proven", "made by")]
    rows += [
        (
            b.id,
            b.database,
            ago(b.taken_at, at).removesuffix(" ago"),
            size(b.size_bytes) if Path(b.path).exists() else "gone",
            str(b.rows),
            proven(b, at),
            _maker(b),
        )
        for b in backups
    ]
    return table(rows)


def proven(backup: "Backup", at: datetime) -> str:
    """Say since when a backup is proven."""
    if backup.proof is None:
        return "no"
    if not backup.proof.matches:
        return "FAILED"
    return ago(backup.proof.at, at)


def document(backup: "Backup") -> dict[str, Any]:
    """Make the plain data of a backup."""
    from s1ctl.shape import plain

    return {
        **plain(backup),
        "rows": backup.rows,
        "is_proven": backup.is_proven,
        "is_there": Path(backup.path).exists(),
    }


def _what(backup: "Backup") -> str:
    return f"{size(backup.size_bytes)}, {backup.rows} rows in {len(backup.counts)} tables"


def _maker(backup: "Backup") -> str:
    if backup.operation is None:
        return "hand"
    return f"{backup.operation}, an archive" if backup.is_archive else backup.operation
