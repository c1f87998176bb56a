"""The site's lock: in the ledger, and at the engine; both or none."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from s1ctl.errors import InputOutputFailed, S1Error, SiteHeld
from s1ctl.ledger.holder import Holder, lives
from s1ctl.ledger.operations import UNFINISHED
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
        give_back(context, name, fence=fence)


def take(context: Context, name: str, *, plan: str, message: str) -> int:
    """Take the lock for the operation `name`, and say the fencing number. Raises `SiteHeld`."""
    former = context.ledger.lock.holder()
    fence = context.ledger.lock.acquire(
        operation=name,
        holder=context.holder,
        plan=plan,
        message=message,
        at=context.now(),
        is_alive=lives,
    )
    try:
        mark = _mark(context, name, plan, message)
        _take_at_engine(context, mark, known=former.operation if former else "")
    except S1Error:
        context.ledger.lock.release(name, fence=fence)
        raise
    return fence


def give_back(context: Context, name: str, *, fence: int | None = None) -> None:
    """Give the lock back, at the engine first.

    Where the engine does not answer its part stays: the next one finds that it is over.
    """
    with suppress(InputOutputFailed):
        context.target.release_hold(name)
    context.ledger.lock.release(name, fence=fence)


def _take_at_engine(context: Context, mark: Hold, *, known: str) -> None:
    try:
        context.target.hold(mark)
    except SiteHeld:
        former = context.target.holder()
        if former is not None and not _is_over(context, former, known):
            raise
        context.target.break_hold()
        context.target.hold(mark)


def _is_over(context: Context, hold: Hold, known: str) -> bool:
    """Say whether what the engine still holds has ended, as our ledger and this host know.

    An operation that the ledger has not opened, though its lock is `known` to it, was killed
    before that; one whose lock it does not know either is from after the ledger was copied.
    """
    if hold.host != context.holder.host:
        return False
    operation = context.ledger.operations.find(hold.operation)
    if operation is None:
        process = Holder(who=hold.who, host=hold.host, pid=hold.pid, boot_id=hold.boot_id)
        is_ours = not hold.plan or hold.operation == known
        return is_ours and not lives(process)
    is_ours = str(operation.plan.digest) == hold.plan
    return is_ours and operation.state not in UNFINISHED


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
