"""The site's lock: one operation at a time, and a fencing number that only grows."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from msgspec import Meta
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from s1ctl.errors import SiteHeld, UsageError
from s1ctl.ledger.columns import time_text, to_text, value_of
from s1ctl.ledger.connection import Database
from s1ctl.ledger.holder import Holder
from s1ctl.ledger.models import LockBreakRow, LockRow
from s1ctl.shape import Value


class Held(Value):
    """A held lock: for which operation, by whom, since when."""

    operation: str
    holder: Holder
    plan: str
    message: str
    since: Annotated[datetime, Meta(tz=True)]
    fence: int

    def refusal(self) -> SiteHeld:
        """Make the error for whoever wants the site too."""
        holder = self.holder
        return SiteHeld(
            f"operation `{self.operation}` holds the site: `{holder.who}` on `{holder.host}`, "
            f"process {holder.pid}, since {self.since:%Y-%m-%d %H:%M:%S} UTC ({self.message})",
            code="S1-L01",
            hint="wait for it, or look: `s1ctl lock show`",
        )


class LockBreak(Value):
    """A lock that was broken by hand."""

    held: Held
    reason: str
    at: Annotated[datetime, Meta(tz=True)]


class Lock:
    """Held by one operation, in one process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def acquire(
        self,
        *,
        operation: str,
        holder: Holder,
        plan: str,
        message: str,
        at: datetime,
        is_alive: Callable[[Holder], bool],
    ) -> int:
        """Take the lock and say its fencing number; again by the same process is harmless.

        A dead process is replaced; time alone never takes a lock. Raises `SiteHeld` S1-L01.
        """
        with self._database.writing() as session:
            row = session.get(LockRow, 1) or LockRow(number=1, fence=0)
            held = _held(row)
            if held and (held.operation, held.holder) == (operation, holder):
                return held.fence
            if held and is_alive(held.holder):
                raise held.refusal()
            row.fence += 1
            mine = Held(
                operation=operation,
                holder=holder,
                plan=plan,
                message=message,
                since=at,
                fence=row.fence,
            )
            row.held = to_text(mine)
            session.add(row)
            return row.fence

    def check(self, fence: int) -> None:
        """Pass while the lock is held under this number. Raises `SiteHeld` S1-L02."""
        held = self.holder()
        if held is None or held.fence != fence:
            now = f"by operation `{held.operation}`" if held else "by nobody"
            raise SiteHeld(
                f"this process no longer holds the site; it is held {now}",
                code="S1-L02",
                hint="run `s1ctl status` to see what goes on",
            )

    def release(self, operation: str, *, fence: int | None = None) -> None:
        """Give the lock back, if this operation holds it (under this number, where it is given)."""
        with self._database.writing() as session:
            row = session.get(LockRow, 1)
            held = _held(row)
            if row and held and held.operation == operation and fence in (None, held.fence):
                row.held = None

    def holder(self) -> Held | None:
        """Say who holds the lock."""
        with self._database.reading() as session:
            return _held(session.get(LockRow, 1))

    def break_(self, reason: str, *, at: datetime, elsewhere: Held | None = None) -> Held:
        """Take the lock from whoever holds it, and record why. Raises `UsageError` S1-U14.

        `elsewhere` is who holds the site outside of the ledger; it is recorded where the ledger
        has no holder.
        """
        with self._database.writing() as session:
            row = session.get(LockRow, 1)
            held = _held(row) or elsewhere
            if held is None:
                raise UsageError(
                    "nobody holds the site", code="S1-U14", hint="nothing is to be done"
                )
            newest = session.scalar(select(func.max(LockBreakRow.number))) or 0
            session.add(
                LockBreakRow(number=newest + 1, held=to_text(held), reason=reason, at=time_text(at))
            )
            if row is not None:
                row.held = None
            return held

    def breaks(self) -> tuple[LockBreak, ...]:
        """Hand out every break, oldest first."""
        with self._database.reading() as session:
            return tuple(_breaks(session))


def _breaks(session: Session) -> list[LockBreak]:
    rows = session.scalars(select(LockBreakRow).order_by(LockBreakRow.number))
    return [
        LockBreak(
            held=value_of(row.held, Held),
            reason=row.reason,
            at=value_of(to_text(row.at), datetime),
        )
        for row in rows
    ]


def _held(row: LockRow | None) -> Held | None:
    return None if row is None or row.held is None else value_of(row.held, Held)
