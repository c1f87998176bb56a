"""Waivers: failed checks that somebody answers for, each for one release."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta
from sqlalchemy import func, select

from s1ctl.ledger.columns import to_text, value_of
from s1ctl.ledger.connection import Database
from s1ctl.ledger.models import WaiverRow
from s1ctl.oci.digest import Digest
from s1ctl.shape import Value

Time = Annotated[datetime, Meta(tz=True)]


class Waiver(Value):
    """Why a check that did not pass does not stop a release here; `observed` is what it saw.

    `outcome` is the worst that it covers, `about` names what was not as wanted (empty in waivers
    of an older s1ctl: the text of `observed` stands for it).
    """

    check: str
    release: Digest
    version: str
    outcome: Literal["warn", "error", "fail"]
    observed: str
    reason: str
    who: str
    host: str
    at: Time
    about: tuple[str, ...] = ()


class Waivers:
    """Waivers in the order in which they were given; rows are only added."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, waiver: Waiver) -> None:
        """Add a waiver; for its check and release it counts from now on."""
        with self._database.writing() as session:
            newest = session.scalar(select(func.max(WaiverRow.number))) or 0
            row = WaiverRow(
                number=newest + 1,
                release=waiver.release,
                check=waiver.check,
                document=to_text(waiver),
            )
            session.add(row)

    def of(self, release: Digest) -> tuple[Waiver, ...]:
        """Hand out what counts for a release: of each check the newest."""
        newest = {waiver.check: waiver for waiver in self.all() if waiver.release == release}
        return tuple(newest.values())

    def all(self) -> tuple[Waiver, ...]:
        """Hand out every waiver that was ever given, oldest first."""
        with self._database.reading() as session:
            rows = session.scalars(select(WaiverRow).order_by(WaiverRow.number))
            return tuple(value_of(row.document, Waiver) for row in rows)
