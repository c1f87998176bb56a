"""`s1ctl lock`: who holds the site."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from s1ctl.cli import context
from s1ctl.errors import InputOutputFailed, SiteHeld

if TYPE_CHECKING:
    from s1ctl.ledger.lock import Held
    from s1ctl.targets.docker_hold import Hold

QUESTION = "if that process lives, it and the next one will act at once; break the lock?"
app = typer.Typer(help="Who holds the site.")


@app.command()
def show(line: typer.Context) -> None:
    """Show who holds the site."""
    here = context.of(line)
    held, at_engine = here.ledger.lock.holder(), _at_engine(here)
    text, data = describe(held), document(held)
    if at_engine is not None and (held is None or held.operation != at_engine.operation):
        text = [*(text if held else ()), *_describe_engine(at_engine)]
        data["engine"] = asdict(at_engine)
    here.output.result(text, data)


@app.command("break")
def break_lock(
    line: typer.Context,
    *,
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")],
    living: Annotated[
        bool, typer.Option("--living", help="Also from a process that lives on this host.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take the site from whoever holds it, in the ledger and at the engine.

    A dead process needs none of this: its operation is taken over by `resume` and `rollback`. One
    that lives on this host keeps it, unless `--living` is given; the record says so.
    """
    here = context.of(line)
    now = datetime.now(UTC)
    held, at_engine = here.ledger.lock.holder(), _at_engine(here)
    elsewhere = _as_held(at_engine, now) if at_engine else None
    alive = _living(held, elsewhere)
    if alive is not None and not living:
        raise _refusal(alive)
    if held is not None:
        here.output.say("\n".join(describe(held)), is_vital=not yes)
    if at_engine is not None and (held is None or held.operation != at_engine.operation):
        here.output.say("\n".join(_describe_engine(at_engine)), is_vital=not yes)
    if not here.confirm(QUESTION, is_yes=yes):
        raise typer.Abort
    if alive is not None:
        reason = f"{reason} (process {alive.holder.pid} was alive, and --living was given)"
    broken = here.ledger.lock.break_(reason, at=now, elsewhere=elsewhere)
    if at_engine is not None:
        _break_at_engine(here)
    operations = {one.operation for one in (broken, at_engine) if one is not None}
    here.output.result(
        f"the lock of {', '.join(sorted(operations))} is broken, and the reason recorded",
        {"broken": sorted(operations), "reason": reason},
    )


def _living(*found: "Held | None") -> "Held | None":
    """Find who holds the site in a process that runs on this host."""
    import socket

    from s1ctl.ledger.holder import lives

    here = socket.gethostname()
    ours = [held for held in found if held is not None and held.holder.host == here]
    return next((held for held in ours if lives(held.holder)), None)


def _refusal(held: "Held") -> SiteHeld:
    pid = held.holder.pid
    return SiteHeld(
        f"process {pid} of `{held.holder.who}` lives on this host and holds the site for operation"
        f" `{held.operation}` ({held.message}); nothing was broken",
        code="S1-L05",
        hint=f"wait for it, or end it: `kill -INT {pid}` pauses it, then `s1ctl resume` or"
        " `s1ctl rollback`; only if it hangs: `s1ctl lock break --living --reason TEXT`",
    )


def _at_engine(here: context.Here) -> "Hold | None":
    """Read the lock at the engine; one that does not answer cannot be held by a live process."""
    from s1ctl.targets.docker_engine import connect_engine
    from s1ctl.targets.docker_hold import read_hold

    try:
        return read_hold(connect_engine(here.site.target.socket), here.site.name)
    except InputOutputFailed as error:
        here.output.say(f"the lock at the engine was not looked at: {error.message}")
        return None


def _break_at_engine(here: context.Here) -> None:
    from s1ctl.targets.docker_engine import connect_engine
    from s1ctl.targets.docker_hold import break_hold

    break_hold(connect_engine(here.site.target.socket), here.site.name)


def _as_held(hold: "Hold", now: datetime) -> "Held":
    """Make of the engine's lock what the ledger records; fence 0, since it gave none."""
    from s1ctl.ledger.holder import Holder
    from s1ctl.ledger.lock import Held

    try:
        since = datetime.fromisoformat(hold.since).astimezone(UTC)
    except ValueError:
        since = now
    return Held(
        operation=hold.operation,
        holder=Holder(who=hold.who, host=hold.host, pid=hold.pid, boot_id=hold.boot_id),
        plan=hold.plan,
        message=hold.message,
        since=since,
        fence=0,
    )


def _describe_engine(hold: "Hold") -> list[str]:
    return [
        f"operation {hold.operation} holds the site at the engine only: {hold.message}",
        f"  by {hold.who} on {hold.host}, process {hold.pid}, since {hold.since}",
        "  if it is over: `s1ctl lock break --reason …`",
    ]


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
