"""The one loop that changes a site: each step probed, its intent recorded, done, recorded."""

from collections.abc import Iterator

from s1ctl.errors import Inconclusive, S1Error, SiteHeld
from s1ctl.ledger.journal import Direction
from s1ctl.ledger.journal import Event as Ending
from s1ctl.operation.events import Event
from s1ctl.operation.record import is_recorded
from s1ctl.operation.run import Item, Run
from s1ctl.plan.explain import describe_step
from s1ctl.plan.plan import Hop, Plan
from s1ctl.plan.presence import Presence
from s1ctl.plan.steps import AnyStep, RecordRelease
from s1ctl.progress import Notify, Progress
from s1ctl.shape import plain

ENGINE_AWAY = ("S1-E10", "S1-E13")  # what was under way may be done or not


class LockLost(Exception):
    """This process no longer holds the site; `cause` says who does."""

    def __init__(self, cause: SiteHeld) -> None:
        super().__init__(cause.message)
        self.cause = cause


def numbered(plan: Plan) -> tuple[Item, ...]:
    """Give the steps of a plan their numbers, in the order in which they are done."""
    steps: list[tuple[AnyStep, Hop | None]] = [(step, None) for step in plan.stage]
    steps += [(step, hop) for hop in plan.hops for step in hop.steps]
    return tuple(Item(number=i, step=s, hop=h) for i, (s, h) in enumerate(steps, start=1))


def go_forward(run: Run) -> None:
    """Do every step that is not recorded as done. Raises what the failing step raised."""
    ended = _ended(run, "do")
    for item in numbered(run.operation.plan):
        if item.number not in ended:
            _do(run, item)


def take_back_hop(run: Run) -> bool:
    """Undo the steps of the hop that was begun last, newest first, and no other.

    A step that was never begun, or is recorded as undone, is passed over. A hop whose release is
    recorded as installed is complete, and so is a close whose every step is done: nothing is taken
    back. Says whether the whole plan is complete.
    """
    begun = _begun(run)
    items = tuple(_last_hop(run, begun))
    if _is_complete(run, items, begun):
        return items[0].number == len(numbered(run.operation.plan))
    for item in to_undo(run):
        _undo(run, item)
    return False


def to_undo(run: Run) -> tuple[Item, ...]:
    """List what `take_back_hop` would undo, in its order; nothing is done."""
    begun, undone = _begun(run), _ended(run, "undo")
    items = tuple(_last_hop(run, begun))
    if _is_complete(run, items, begun):
        return ()
    return tuple(i for i in items if i.number in begun and i.number not in undone)


def _last_hop(run: Run, begun: set[int]) -> Iterator[Item]:
    items = numbered(run.operation.plan)
    newest = max(begun, default=0)
    hop = next((item.hop for item in items if item.number == newest), None)
    return reversed([item for item in items if hop is not None and item.hop is hop])


def _is_complete(run: Run, items: tuple[Item, ...], begun: set[int]) -> bool:
    if not items or items[0].number not in begun:
        return False
    step = items[0].step
    if isinstance(step, RecordRelease):
        return is_recorded(step, run)
    ended = _ended(run, "do")
    return all(item.number in ended for item in items) and not _ended(run, "undo")


def _do(run: Run, item: Item) -> None:
    action = run.actions(item, run)
    presence = action.probe()
    if presence is Presence.UNKNOWN:
        raise _unknown(item)
    if presence is Presence.PRESENT:
        _record(run, item, "do", "done", record={"found": True})
        return
    _check_lock(run)
    _record(run, item, "do", "intent")
    try:
        record = action.do(_notify(run, item))
    except S1Error as error:
        _check_lock(run)
        _record(run, item, "do", "failed", error=error)
        if action.is_final or error.code in ENGINE_AWAY:
            raise _final(error, item) from error
        raise
    _record(run, item, "do", "done", record=dict(record))


def _undo(run: Run, item: Item) -> None:
    action = run.actions(item, run)
    if action.undo is None:
        return
    _check_lock(run)
    _record(run, item, "undo", "intent")
    try:
        record = action.undo(_notify(run, item))
    except S1Error as error:
        _check_lock(run)
        _record(run, item, "undo", "failed", error=error)
        raise _final(error, item) from error
    _record(run, item, "undo", "done", record=dict(record))


def _record(
    run: Run,
    item: Item,
    direction: Direction,
    event: Ending,
    *,
    record: dict[str, object] | None = None,
    error: S1Error | None = None,
) -> None:
    """Write the journal entry, then tell it; an interrupt waits until the entry is whole."""
    at = run.context.now()
    with run.context.interrupts.shielded():
        run.context.ledger.operations.append(
            operation=run.operation.id,
            step={"number": item.number, **plain(item.step)},
            direction=direction,
            event=event,
            record=record,
            error=error_document(error),
            at=at,
        )
        run.context.tell(
            Event(
                at=at.isoformat(),
                operation=run.operation.id,
                event=event,
                number=item.number,
                total=len(numbered(run.operation.plan)),
                direction=direction,
                step=str(plain(item.step)["kind"]),
                text=error.message if error else describe_step(item.step),
                record=record,
            )
        )


def error_document(error: S1Error | None) -> dict[str, object] | None:
    """Make the plain form of an error, for journal, events and JSON results."""
    if error is None:
        return None
    return {
        "kind": type(error).__name__,
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
    }


def _notify(run: Run, item: Item) -> Notify:
    def tell(progress: Progress) -> None:
        run.context.tell(
            Event(
                at=run.context.now().isoformat(),
                operation=run.operation.id,
                event="progress",
                number=item.number,
                step=str(plain(item.step)["kind"]),
                text=progress.label,
                done=progress.done,
                size=progress.total,
                unit=progress.unit,
            )
        )

    return tell


def _check_lock(run: Run) -> None:
    """Raise `LockLost` when another process has the site: nothing may be written any more."""
    try:
        run.context.ledger.lock.check(run.fence)
    except SiteHeld as error:
        raise LockLost(error) from None


def _begun(run: Run) -> set[int]:
    entries = run.context.ledger.operations.entries(run.operation.id)
    return {e.step["number"] for e in entries if e.direction == "do"}


def _ended(run: Run, direction: Direction) -> set[int]:
    entries = run.context.ledger.operations.entries(run.operation.id)
    return {e.step["number"] for e in entries if e.direction == direction and e.event == "done"}


def _unknown(item: Item) -> Inconclusive:
    return Inconclusive(
        f"step {item.number}, {describe_step(item.step)}: nobody can tell whether it is done",
        code="S1-O01",
        hint="see that engine and databases answer, then run `s1ctl resume`",
    )


def _final(error: S1Error, item: Item) -> Inconclusive:
    return Inconclusive(
        f"step {item.number}, {describe_step(item.step)}: {error.message}",
        code=error.code,
        hint=f"{error.hint}; then run `s1ctl resume`",
    )
