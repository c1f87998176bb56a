"""The site's lock: in the ledger, and at the engine; both or none."""

from collections.abc import Iterator
from contextlib import contextmanager

from s1ctl.errors import S1Error
from s1ctl.ledger.holder import lives
from s1ctl.operation.context import Context
from s1ctl.targets.docker_hold import Hold


@contextmanager
def holding(context: Context, name: str) -> Iterator[int]:
    """Hold the site for a command that is no operation; yield the fencing number.

    One that a killed run of the same command left is taken over. Raises `SiteHeld`.
    """
    fence = take(context, name, plan="", message=name)
    try:
        yield fence
    finally:
        give_back(context, name)


def take(context: Context, name: str, *, plan: str, message: str) -> int:
    """Take the lock for the operation `name`, and say the fencing number. Raises `SiteHeld`."""
    fence = context.ledger.lock.acquire(
        operation=name,
        holder=context.holder,
        plan=plan,
        message=message,
        at=context.now(),
        is_alive=lives,
    )
    try:
        context.target.hold(_mark(context, name, plan, message))
    except S1Error:
        context.ledger.lock.release(name)
        raise
    return fence


def give_back(context: Context, name: str) -> None:
    """Give the lock back, at the engine first."""
    context.target.release_hold(name)
    context.ledger.lock.release(name)


def _mark(context: Context, name: str, plan: str, message: str) -> Hold:
    holder = context.holder
    return Hold(
        operation=name,
        who=holder.who,
        host=holder.host,
        pid=holder.pid,
        boot_id=holder.boot_id,
        since=context.now().isoformat(),
        plan=plan,
        message=message,
    )
