"""`s1ctl lock`: who holds the site."""

from typing import TYPE_CHECKING, Annotated

import typer

from s1ctl.cli import context
from s1ctl.errors import InputOutputFailed

if TYPE_CHECKING:
    from s1ctl.ledger.lock import Held
    from s1ctl.targets.docker_hold import Hold

QUESTION = "if that process lives, it and the next one will act at once; break the lock?"
app = typer.Typer(help="Who holds the site.")


@app.command()
def show(line: typer.Context) -> None:
    """Show who holds the site."""
    here = context.of(line)
    held = here.ledger.lock.holder()
    here.output.result(describe(held), document(held))


@app.command("break")
def break_lock(
    line: typer.Context,
    *,
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take the site from whoever holds it, in the ledger and at the engine.

    A dead process needs none of this: its operation is taken over by `resume` and `rollback`.
    """
    from datetime import UTC, datetime

    here = context.of(line)
    held = here.ledger.lock.holder()
    if held is not None:
        here.output.say("\n".join(describe(held)))
    if not here.confirm(QUESTION, is_yes=yes):
        raise typer.Abort
    at_engine = _break_at_engine(here)
    if held is not None or at_engine is None:
        held = here.ledger.lock.break_(reason, at=datetime.now(UTC))
    operations = {one.operation for one in (held, at_engine) if one is not None}
    here.output.result(
        f"the lock of {', '.join(sorted(operations))} is broken, and the reason recorded",
        {"broken": sorted(operations), "reason": reason},
    )


def _break_at_engine(here: context.Here) -> "Hold | None":
    """Remove the lock at the engine; one that does not answer cannot be held by a live process."""
    from s1ctl.targets.docker_engine import connect_engine
    from s1ctl.targets.docker_hold import break_hold

    try:
        engine = connect_engine(here.site.target.socket)
    except InputOutputFailed as error:
        here.output.say(f"the lock at the engine was not looked at: {error.message}")
        return None
    return break_hold(engine, here.site.name)


def describe(held: "Held | None") -> list[str]:
    """Say who holds the site."""
    if held is None:
        return ["nobody holds the site"]
    return [
        f"operation {held.operation} holds the site: {held.message}",
        f"  by {held.holder.who} on {held.holder.host}, process {held.holder.pid}",
        f"  since {held.since:%Y-%m-%d %H:%M:%S} UTC, fencing number {held.fence}",
    ]


def document(held: "Held | None") -> dict[str, object]:
    """Make the plain data of a lock."""
    from s1ctl.shape import plain

    return {"held": plain(held) if held else None}
