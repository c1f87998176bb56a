"""`s1ctl lock`: who holds the site."""

from typing import TYPE_CHECKING, Annotated

import typer

from s1ctl.cli import context

if TYPE_CHECKING:
    from s1ctl.ledger.lock import Held

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
    """Take the site from whoever holds it.

    A dead process needs none of this: its operation is taken over by `resume` and `rollback`.
    """
    from datetime import UTC, datetime

    here = context.of(line)
    held = here.ledger.lock.holder()
    if held is not None:
        here.output.say("\n".join(describe(held)))
        if not here.confirm(QUESTION, is_yes=yes):
            raise typer.Abort
    broken = here.ledger.lock.break_(reason, at=datetime.now(UTC))
    here.output.result(
        f"the lock of operation {broken.operation} is broken, and the reason recorded",
        {"broken": document(broken), "reason": reason},
    )


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
