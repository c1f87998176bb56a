"""Rollback points: what ran before a hop."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, field
from packaging.version import Version
from sqlalchemy import delete, func, select

from s1ctl.ledger.columns import to_text, value_of
from s1ctl.ledger.connection import Database
from s1ctl.ledger.models import PointRow
from s1ctl.oci.digest import Digest
from s1ctl.plan.plan import Settings
from s1ctl.plan.steps import Instance
from s1ctl.shape import Value


class RollbackPoint(Value):
    """What ran when the point was made: `release` is None where nothing did.

    `revisions` are those applied, by database; `backups` what is known of a dump, by database.
    """

    id: str
    release: Digest | None
    version: Version | None
    settings: Settings | None
    running: tuple[Instance, ...]
    revisions: dict[str, tuple[str, ...]]
    backups: dict[str, dict[str, Any]] = field(default_factory=dict)
    made_at: Annotated[datetime, Meta(tz=True)]
    operation: str


class Points:
    """Points in the order in which they were first recorded."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, point: RollbackPoint) -> None:
        """Record a point; one of the same id is replaced in its place."""
        with self._database.writing() as session:
            row = session.scalar(select(PointRow).where(PointRow.id == point.id))
            if row is None:
                newest = session.scalar(select(func.max(PointRow.number))) or 0
                session.add(PointRow(number=newest + 1, id=point.id, document=to_text(point)))
            else:
                row.document = to_text(point)

    def record_backup(self, point: str, database: str, dump: dict[str, Any]) -> None:
        """Add what is known of a dump to a recorded point. Raises `KeyError`."""
        with self._database.writing() as session:
            row = session.scalar(select(PointRow).where(PointRow.id == point))
            if row is None:
                raise KeyError(point)
            document = value_of(row.document, dict[str, Any])
            document["backups"] = {**document.get("backups", {}), database: dump}
            row.document = to_text(document)

    def find(self, point: str) -> RollbackPoint | None:
        """Find a point by its id."""
        with self._database.reading() as session:
            row = session.scalar(select(PointRow).where(PointRow.id == point))
            return value_of(row.document, RollbackPoint) if row else None

    def newest(self) -> RollbackPoint | None:
        """Hand out the point that was recorded last."""
        return next(iter(self.all()), None)

    def all(self) -> tuple[RollbackPoint, ...]:
        """Hand out every point, newest first."""
        with self._database.reading() as session:
            rows = session.scalars(select(PointRow).order_by(PointRow.number.desc()))
            return tuple(value_of(row.document, RollbackPoint) for row in rows)

    def remove(self, point: str) -> None:
        """Forget a point; its dumps are the caller's."""
        with self._database.writing() as session:
            session.execute(delete(PointRow).where(PointRow.id == point))
