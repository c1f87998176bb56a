"""Backups: the dump of a database, what was counted in its snapshot, and its proof."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from msgspec import Meta
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from s1ctl.ledger.columns import to_text, value_of
from s1ctl.ledger.connection import Database
from s1ctl.ledger.models import BackupRow
from s1ctl.oci.digest import Digest
from s1ctl.shape import Value, changed

Time = Annotated[datetime, Meta(tz=True)]
Counts = dict[str, int]


class Proof(Value):
    """What a dump held when it was restored aside; `matches`: just what was dumped."""

    at: Time
    fingerprint: Digest
    counts: Counts
    matches: bool
    seconds: float


class Backup(Value):
    """A dump of one database, made in one snapshot taken at `taken_at`.

    `counts` are the rows of each table as `SCHEMA.TABLE`, `fingerprint` covers the schema, and
    `revisions` are those applied, all in that snapshot. `release` was the installed one.
    `operation` is None where a command of its own made it; with `is_archive` it keeps what a
    restore took away.
    """

    id: str
    database: str
    release: Digest
    operation: str | None
    path: str
    size_bytes: int
    sha256: Digest
    taken_at: Time
    counts: Counts
    fingerprint: Digest
    server_version: str
    revisions: tuple[str, ...] = ()
    is_archive: bool = False
    proof: Proof | None = None

    @property
    def is_proven(self) -> bool:
        """Say whether it was restored aside and found to be what was dumped."""
        return self.proof is not None and self.proof.matches

    @property
    def rows(self) -> int:
        """Count the rows of all tables."""
        return sum(self.counts.values())


class Backups:
    """Backups by their ids, `b0001` and on; no id is given twice."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next_number(self) -> int:
        """Say the number of the next backup."""
        with self._database.reading() as session:
            return (session.scalar(select(func.max(BackupRow.number))) or 0) + 1

    def next_id(self) -> str:
        """Say the id of the next backup."""
        return id_of(self.next_number())

    def record(self, backup: Backup) -> None:
        """Record a backup; one of the same id is replaced, and its proof forgotten."""
        with self._database.writing() as session:
            session.merge(
                BackupRow(
                    number=number_of(backup.id),
                    id=backup.id,
                    database=backup.database,
                    release=backup.release,
                    operation=backup.operation,
                    document=to_text(backup),
                )
            )

    def record_proof(self, backup: str, proof: Proof) -> None:
        """Add a proof in the place of a former one. Raises `KeyError`."""
        with self._database.writing() as session:
            row = _row(session, backup)
            if row is None or row.document is None:
                raise KeyError(backup)
            row.document = to_text(changed(value_of(row.document, Backup), proof=proof))

    def find(self, backup: str) -> Backup | None:
        """Find a backup by its id."""
        with self._database.reading() as session:
            row = _row(session, backup)
            return value_of(row.document, Backup) if row and row.document else None

    def newest(self, database: str) -> Backup | None:
        """Hand out the newest backup of a database that is no archive."""
        return next((b for b in self.all() if b.database == database and not b.is_archive), None)

    def all(self) -> tuple[Backup, ...]:
        """Hand out every backup, newest first."""
        with self._database.reading() as session:
            return tuple(_documents(session))

    def remove(self, backup: str) -> None:
        """Forget a backup; its file is the caller's. Its id is not given again."""
        with self._database.writing() as session:
            row = _row(session, backup)
            if row is not None:
                row.document = None


def id_of(number: int) -> str:
    """Make the id of a number."""
    return f"b{number:04d}"


def number_of(backup: str) -> int:
    """Read the number in an id. Raises `ValueError` for another text."""
    number = int(backup[1:]) if backup[1:].isascii() and backup[1:].isdecimal() else 0
    if number < 1 or backup != id_of(number):
        raise ValueError(f"`{backup}` is no id of a backup")
    return number


def _row(session: Session, backup: str) -> BackupRow | None:
    return session.scalar(select(BackupRow).where(BackupRow.id == backup))


def _documents(session: Session) -> Iterator[Backup]:
    for row in session.scalars(select(BackupRow).order_by(BackupRow.number.desc())):
        if row.document is not None:
            yield value_of(row.document, Backup)
