"""`s1ctl secret`: which secrets the platform uses, and a new one in the place of an old."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from s1ctl.cli import context
from s1ctl.cli.operate import DryRun, Events, Probe, Yes, run_plan
from s1ctl.cli.output import table
from s1ctl.errors import UsageError

if TYPE_CHECKING:
    from s1ctl.operation.known_secrets import KnownSecret

app = typer.Typer(help="The platform's secrets.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="The secret, as the release calls it.")]


@app.command("list")
def list_secrets(line: typer.Context) -> None:
    """List the secrets of the installed release; no value is shown."""
    from s1ctl.cli.surroundings import look
    from s1ctl.operation.known_secrets import known_secrets
    from s1ctl.shape import plain

    here = context.of(line)
    found = known_secrets(look(here))
    text = table([_row(one) for one in found]) if found else ["the installed release has none"]
    here.output.result(text, {"secrets": [plain(one) for one in found]})


@app.command()
def show(
    line: typer.Context,
    *,
    name: Name,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Also where the output is no terminal.")
    ] = False,
) -> None:
    """Show the value of a secret that is in use, to a person at a terminal."""
    from s1ctl.cli.surroundings import look
    from s1ctl.operation.known_secrets import secret_value

    here = context.of(line)
    value = secret_value(look(here), name)
    if not reveal and not sys.stdout.isatty():
        raise UsageError(
            f"the value of `{name}` would go into a file or another program",
            code="S1-U153",
            hint=f"if it shall, run `s1ctl secret show {name} --reveal`",
        )
    here.output.result(value.reveal(), {"name": name, "value": value.reveal()})


@app.command()
def rotate(
    line: typer.Context,
    *,
    name: Name,
    dry_run: DryRun = False,
    probe: Probe = None,
    events: Events = None,
    yes: Yes = False,
) -> None:
    """Generate a new value, and bring it to the database and the units that use it.

    With the same plan, steps and rollback point as an upgrade. If it is taken back, the former
    value is in use again.
    """
    from s1ctl.operation.gather import rotate_plan

    here = context.of(line)
    code = run_plan(
        here,
        lambda surroundings: rotate_plan(surroundings, name),
        is_dry=dry_run,
        is_yes=yes,
        probe=probe,
        events=events,
    )
    raise typer.Exit(code)


def _row(one: "KnownSecret") -> tuple[str, ...]:
    origin = f"from {one.source}" if one.source else f"generated, version {one.version}"
    return (one.name, origin, "used by " + (", ".join(one.units) or "no unit"), one.note)
