"""Operations: a plan, how far it has come, and its journal."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from s1ctl.errors import SiteHeld
from s1ctl.ledger.columns import from_text, time_of, time_text, to_text, value_of
from s1ctl.ledger.connection import Database
from s1ctl.ledger.journal import FIRST, Direction, Event, JournalEntry, first_broken
from s1ctl.ledger.models import JournalRow, OperationRow
from s1ctl.plan.plan import Plan

State = Literal["open", "paused", "done", "failed", "taken-back"]
UNFINISHED = ("open", "paused")
Cause = str | dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One run of a plan; `cause` says why it paused or failed."""

    number: int
    id: str
    verb: str
    plan: Plan
    direction: Direction
    state: State
    cause: Cause | None
    fence: int
    opened_at: datetime


class Operations:
    """Operations in the order in which they were opened, and the journal of all of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next_id(self) -> str:
        """Say the id that the next operation gets: the site's lock is taken under it first."""
        with self._database.reading() as session:
            return _id_of(_newest(session) + 1)

    def open(self, plan: Plan, *, fence: int, at: datetime) -> Operation:
        """Open an operation. Raises `SiteHeld` S1-L03 while another is unfinished."""
        with self._database.writing() as session:
            _refuse_second(session)
            number = _newest(session) + 1
            row = OperationRow(
                number=number,
                id=_id_of(number),
                verb=plan.verb,
                plan=to_text(plan),
                direction="do",
                state="open",
                fence=fence,
                opened_at=time_text(at),
            )
            session.add(row)
            return _operation(row)

    def find(self, operation: str) -> Operation | None:
        """Find an operation by its id."""
        with self._database.reading() as session:
            row = _row(session, operation)
            return _operation(row) if row else None

    def unfinished(self) -> Operation | None:
        """Hand out the operation that is open or paused."""
        with self._database.reading() as session:
            row = _unfinished(session)
            return _operation(row) if row else None

    def set_direction(self, operation: str, direction: Direction) -> None:
        """Turn an operation round. Raises `KeyError`."""
        with self._database.writing() as session:
            _known(session, operation).direction = direction

    def set_state(self, operation: str, state: State, cause: Cause | None = None) -> None:
        """Record what became of an operation. Raises `KeyError`."""
        with self._database.writing() as session:
            row = _known(session, operation)
            row.state = state
            row.cause = None if cause is None else to_text(cause)

    def history(self, limit: int = 20) -> tuple[Operation, ...]:
        """Hand out the newest operations, newest first."""
        newest_first = select(OperationRow).order_by(OperationRow.number.desc()).limit(limit)
        with self._database.reading() as session:
            return tuple(_operation(row) for row in session.scalars(newest_first))

    def append(
        self,
        *,
        operation: str,
        step: object,
        direction: Direction,
        event: Event,
        record: dict[str, Any] | None = None,
        error: dict[str, Any] | None = None,
        at: datetime,
    ) -> JournalEntry:
        """Add an entry to the journal: when this returns it is on disk.

        `step` is anything plain that names the step within its operation.
        """
        with self._database.writing() as session:
            last = _last(session)
            entry = JournalEntry(
                number=last.number + 1 if last else 1,
                operation=operation,
                step=from_text(to_text(step)),
                direction=direction,
                event=event,
                record=from_text(to_text(record)),
                error=from_text(to_text(error)),
                at=at,
                previous=last.hash if last else FIRST,
            )
            session.add(_journal_row(entry))
        return entry

    def entries(self, operation: str) -> tuple[JournalEntry, ...]:
        """Hand out the entries of one operation, oldest first."""
        one = select(JournalRow).where(JournalRow.operation == operation)
        with self._database.reading() as session:
            return tuple(_entry(row) for row in session.scalars(one.order_by(JournalRow.number)))

    def head(self) -> str:
        """Hand out the hash of the newest entry: who keeps it elsewhere can tell a change."""
        with self._database.reading() as session:
            last = _last(session)
            return last.hash if last else FIRST

    def has_hash(self, head: str) -> bool:
        """Say whether an entry has this hash: a head kept elsewhere must be found here."""
        with self._database.reading() as session:
            found = session.scalar(select(JournalRow.number).where(JournalRow.hash == head))
            return head == FIRST or found is not None

    def verify_chain(self) -> int | None:
        """Find the number of the first entry that was changed, removed or moved."""
        with self._database.reading() as session:
            return first_broken(_chain(session))


def _refuse_second(session: Session) -> None:
    row = _unfinished(session)
    if row is not None:
        raise SiteHeld(
            f"operation `{row.id}` ({row.verb}) is {row.state}",
            code="S1-L03",
            hint="run `s1ctl resume` or `s1ctl rollback`",
        )


def _unfinished(session: Session) -> OperationRow | None:
    return session.scalar(select(OperationRow).where(OperationRow.state.in_(UNFINISHED)))


def _newest(session: Session) -> int:
    return session.scalar(select(func.max(OperationRow.number))) or 0


def _id_of(number: int) -> str:
    return f"op-{number}"


def _row(session: Session, operation: str) -> OperationRow | None:
    return session.scalar(select(OperationRow).where(OperationRow.id == operation))


def _known(session: Session, operation: str) -> OperationRow:
    row = _row(session, operation)
    if row is None:
        raise KeyError(operation)
    return row


def _last(session: Session) -> JournalRow | None:
    return session.scalar(select(JournalRow).order_by(JournalRow.number.desc()).limit(1))


def _chain(session: Session) -> Iterator[tuple[JournalEntry, str]]:
    for row in session.scalars(select(JournalRow).order_by(JournalRow.number)):
        yield _entry(row), row.hash


def _operation(row: OperationRow) -> Operation:
    return Operation(
        number=row.number,
        id=row.id,
        verb=row.verb,
        plan=value_of(row.plan, Plan),
        direction=value_of(to_text(row.direction), Direction),  # type: ignore[arg-type]
        state=value_of(to_text(row.state), State),  # type: ignore[arg-type]
        cause=None if row.cause is None else from_text(row.cause),
        fence=row.fence,
        opened_at=time_of(row.opened_at),
    )


def _journal_row(entry: JournalEntry) -> JournalRow:
    return JournalRow(
        number=entry.number,
        operation=entry.operation,
        step=to_text(entry.step),
        direction=entry.direction,
        event=entry.event,
        record=None if entry.record is None else to_text(entry.record),
        error=None if entry.error is None else to_text(entry.error),
        at=time_text(entry.at),
        previous=entry.previous,
        hash=entry.hash,
    )


def _entry(row: JournalRow) -> JournalEntry:
    return JournalEntry(
        number=row.number,
        operation=row.operation,
        step=from_text(row.step),
        direction=row.direction,  # type: ignore[arg-type]
        event=row.event,  # type: ignore[arg-type]
        record=None if row.record is None else from_text(row.record),
        error=None if row.error is None else from_text(row.error),
        at=time_of(row.at),
        previous=row.previous,
    )
