"""Open, resume and take back an operation: the lock, the loop, and what is said at its end."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TypedDict

from s1ctl.errors import Inconclusive, InputOutputFailed, PlanDiffers, S1Error, SiteHeld
from s1ctl.ledger.holder import lives
from s1ctl.ledger.operations import UNFINISHED, Operation
from s1ctl.operation import hooks, loss
from s1ctl.operation.action import Action
from s1ctl.operation.actions import action_for
from s1ctl.operation.backups import refuse_past_restore
from s1ctl.operation.context import Context
from s1ctl.operation.events import Event
from s1ctl.operation.execute import (
    LockLost,
    error_document,
    go_forward,
    numbered,
    take_back_hop,
    to_undo,
)
from s1ctl.operation.holding import give_back, take
from s1ctl.operation.outcome import Outcome, State
from s1ctl.operation.run import Item, Run
from s1ctl.plan.plan import Plan
from s1ctl.shape import plain
from s1ctl.site.hooks import Moment
from s1ctl.targets.probe import OpenLoop, ProbeNumbers

Actions = Callable[[Item, Run], Action]


def apply_plan(
    context: Context,
    plan: Plan,
    *,
    watch: OpenLoop | None = None,
    actions: Actions = action_for,
    announced: Mapping[str, object] | None = None,
) -> Outcome:
    """Open an operation for `plan` and walk it; a hop that fails is taken back as a whole.

    `watch` is a client that asks the platform all the while; its numbers go into the journal, and
    so does `announced`, the loss of data that somebody has accepted.
    Raises `SiteHeld` when another operation is open or paused, `PlanDiffers` S1-N11 when the site
    is no longer as it was when the plan was made, and as `hooks.run_start` does. From then on
    the outcome holds the error; only a process that lost the lock to another raises `SiteHeld`,
    and writes nothing more.
    """
    refuse_if_unfinished(context)
    identity = context.ledger.operations.next_id()
    fence = _hold(context, identity, plan)
    with _given_back_on_refusal(context, identity, fence):
        refuse_if_unfinished(context)
        _refuse_stale(context, plan)
        hooks.run_start(context, hooks.make_notice(context, "start", identity, plan))
    with context.interrupts.closing():
        operation = context.ledger.operations.open(plan, fence=fence, at=context.now())
        context.ledger.addresses.record(plan.addresses)
        if announced is not None:
            loss.record_announced(context, operation, announced)
        _tell(context, operation, "opened", f"{plan.verb}, {len(numbered(plan))} steps")
        run = Run(context=context, operation=operation, fence=fence, actions=actions)
        return _walk(run, _forward, watch)


def resume(
    context: Context,
    operation: Operation,
    *,
    watch: OpenLoop | None = None,
    actions: Actions = action_for,
) -> Outcome:
    """Go on with a paused or killed operation, in the direction that it had.

    A hook that refuses leaves it paused; the way back is never refused by one.
    """
    run = _reopened(context, operation, actions)
    return _walk(run, _onward if run.operation.direction == "do" else _homeward, watch)


def take_back(
    context: Context,
    operation: Operation,
    *,
    watch: OpenLoop | None = None,
    actions: Actions = action_for,
) -> Outcome:
    """Take back the hop at which a paused or killed operation stands."""
    return _walk(_reopened(context, operation, actions), _homeward, watch)


def list_take_back(
    context: Context, operation: Operation, *, actions: Actions = action_for
) -> tuple[Item, ...]:
    """List the steps that `take_back` would undo, newest first; nothing is held or changed."""
    run = Run(context=context, operation=operation, fence=0, actions=actions)
    refuse_past_restore(run)
    items = to_undo(run)
    return tuple(item for item in items if actions(item, run).undo is not None)


def _reopened(context: Context, operation: Operation, actions: Actions) -> Run:
    """Take the lock, then read the operation again: another process may have ended it."""
    fence = _hold(context, operation.id, operation.plan)
    with _given_back_on_refusal(context, operation.id, fence):
        fresh = context.ledger.operations.find(operation.id)
        if fresh is None or fresh.state not in UNFINISHED:
            raise SiteHeld(
                f"the operation {operation.id} was ended by another process",
                code="S1-L04",
                hint="run `s1ctl status`",
            )
    return Run(context=context, operation=fresh, fence=fence, actions=actions)


@contextmanager
def _given_back_on_refusal(context: Context, identity: str, fence: int) -> Iterator[None]:
    try:
        yield
    except (S1Error, KeyboardInterrupt):
        give_back(context, identity, fence=fence)
        raise


def _refuse_stale(context: Context, plan: Plan) -> None:
    installed = context.ledger.releases.installed()
    now = installed.digest if installed else None
    if now != plan.start:
        raise PlanDiffers(
            f"the plan starts at {plan.start_version or 'nothing'}, and the site is at "
            f"{installed.version if installed else 'nothing'} by now",
            code="S1-N11",
            hint="plan again: another operation was quicker",
        )


def refuse_if_unfinished(context: Context) -> None:
    """Raise `SiteHeld`: S1-L01 while a living process holds the site, S1-L03 what is paused."""
    operation = context.ledger.operations.unfinished()
    held = context.ledger.lock.holder()
    if held is not None and held.holder != context.holder and lives(held.holder):
        raise held.refusal()
    if operation is not None:
        raise SiteHeld(
            f"the operation {operation.id} ({operation.verb}) is not finished",
            code="S1-L03",
            hint="run `s1ctl resume` to finish it, or `s1ctl rollback` to take it back",
        )


def _onward(run: Run) -> State:
    hooks.run_start(run.context, _notice(run, "start", is_resumed=True))
    return _forward(run)


def _homeward(run: Run) -> State:
    notice = _notice(run, "start", is_resumed=True, direction="undo")
    hooks.run_others(run.context, notice)
    return _backward(run)


def _notice(run: Run, event: Moment, **more: object) -> hooks.Notice:
    return hooks.make_notice(run.context, event, run.operation.id, run.operation.plan, **more)


def _forward(run: Run) -> State:
    try:
        go_forward(run)
    except Inconclusive:
        raise
    except S1Error as error:
        _backward(run)
        raise _TakenBack(error) from error
    return "done"


class _TakenBack(Exception):
    def __init__(self, cause: S1Error) -> None:
        super().__init__(cause.message)
        self.cause = cause


def _backward(run: Run) -> State:
    refuse_past_restore(run)
    with run.context.interrupts.shielded():
        run.context.ledger.operations.set_direction(run.operation.id, "undo")
        run.turns.append("undo")
    return "done" if take_back_hop(run) else "taken-back"


def _walk(run: Run, go: Callable[[Run], State], watch: OpenLoop | None) -> Outcome:
    """Walk to an end that is said and recorded, whatever comes: only steps are interrupted."""
    with run.context.interrupts.closing():
        outcome = _walked(run, go, watch)
        notice = _notice(
            run,
            "pause" if outcome.state == "paused" else "finish",
            direction="undo" if run.is_turned_back else "do",
            outcome=outcome.state,
            cause=error_document(outcome.error),
        )
        hooks.run_others(run.context, notice)
    return outcome


def _walked(run: Run, go: Callable[[Run], State], watch: OpenLoop | None) -> Outcome:
    began = run.context.clock()
    end = _go(run, go, watch)
    numbers = watch.stop() if watch else None
    seconds = run.context.clock() - began
    try:
        return _close(run, end, numbers=numbers, seconds=seconds)
    except InputOutputFailed as error:
        return _unrecorded(run, end.error or error, seconds=seconds)


def _unrecorded(run: Run, error: S1Error, *, seconds: float) -> Outcome:
    """Say the end of a run whose ledger can no longer be written: it stands as if killed here."""
    return Outcome(
        operation=run.operation.id,
        verb=run.operation.plan.verb,
        state="paused",
        version=run.operation.plan.start_version,
        head=None,
        seconds=seconds,
        error=error,
        **_ends(run),
    )


class _Ends(TypedDict):
    origin: str | None
    goal: str | None
    is_turned_back: bool


def _ends(run: Run) -> _Ends:
    plan = run.operation.plan
    return {
        "origin": plan.start_version,
        "goal": plan.hops[-1].version if plan.hops else None,
        "is_turned_back": run.is_turned_back,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    state: State
    error: S1Error | None = None
    is_interrupted: bool = False


def _go(run: Run, go: Callable[[Run], State], watch: OpenLoop | None) -> _End:
    try:
        if watch:
            watch.start()
        with run.context.interrupts.heard():
            return _End(state=go(run))
    except _TakenBack as end:
        return _End(state="taken-back", error=end.cause)
    except KeyboardInterrupt:
        return _End(state="paused", is_interrupted=True)
    except S1Error as error:
        return _End(state="paused", error=error)
    except LockLost as lost:
        raise lost.cause from None
    except Exception as bug:  # noqa: BLE001 - whatever it is, the operation must not stay open
        return _End(state="paused", error=_bug(run.context, bug))


def _bug(context: Context, cause: Exception) -> Inconclusive:
    error = Inconclusive(
        context.mask(f"a bug in s1ctl: {type(cause).__name__}: {cause}"),
        code="S1-O20",
        hint="send the log to the maintainers, then run `s1ctl resume`",
    )
    error.__cause__ = cause
    return error


def _close(run: Run, end: _End, *, numbers: ProbeNumbers | None, seconds: float) -> Outcome:
    context, identity = run.context, run.operation.id
    probe = asdict(numbers) if numbers else None
    context.ledger.lock.check(run.fence)
    context.ledger.operations.set_state(identity, end.state, cause=error_document(end.error))
    installed = context.ledger.releases.installed()
    version = str(installed.version) if installed else None
    by = {"who": context.holder.who, "host": context.holder.host}
    record: dict[str, object] = {
        "state": end.state,
        "release": version,
        "probe": probe,
        "by": by,
    }
    lost = loss.read(context, run.operation)
    head = _record_end(run, end, {**record, "loss": plain(lost)} if lost else record)
    if end.state != "paused":
        give_back(context, identity, fence=run.fence)
    return Outcome(
        operation=identity,
        verb=run.operation.plan.verb,
        state=end.state,
        version=version,
        head=head,
        seconds=seconds,
        error=end.error,
        is_interrupted=end.is_interrupted,
        probe=probe,
        loss=lost,
        **_ends(run),
    )


def _record_end(run: Run, end: _End, record: dict[str, object]) -> str:
    """Write the end into the journal, as step 0, and say the journal's head."""
    entry = run.context.ledger.operations.append(
        operation=run.operation.id,
        step={"number": 0, "kind": "close"},
        direction="do",
        event="failed" if end.error else "done",
        record=record,
        error=error_document(end.error),
        at=run.context.now(),
    )
    _tell(run.context, run.operation, "closed", end.state)
    return entry.hash


def _hold(context: Context, identity: str, plan: Plan) -> int:
    return take(context, identity, plan=str(plan.digest), message=plan.verb)


def _tell(context: Context, operation: Operation, event: str, text: str) -> None:
    context.tell(
        Event(
            at=context.now().isoformat(),
            operation=operation.id,
            event="opened" if event == "opened" else "closed",
            total=len(numbered(operation.plan)),
            text=text,
        )
    )
