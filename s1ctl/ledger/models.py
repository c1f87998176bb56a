"""The ledger's tables. Portable: no type of one database, times as ISO 8601 text in UTC."""

from sqlalchemy import ForeignKey, Index, LargeBinary, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Short = String(255)


class Row(DeclarativeBase):
    """A row; constraints have names, so that later migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class RootRow(Row):
    """The chain of roots that this site trusts for a product."""

    __tablename__ = "roots"

    product: Mapped[str] = mapped_column(Short, primary_key=True)
    raw: Mapped[bytes] = mapped_column(LargeBinary)


class LoadedRow(Row):
    """A release in the release store."""

    __tablename__ = "loaded_releases"

    digest: Mapped[str] = mapped_column(Short, primary_key=True)
    product: Mapped[str] = mapped_column(Short)
    channel: Mapped[str] = mapped_column(Short)
    version: Mapped[str] = mapped_column(Short)
    sequence: Mapped[int]
    loaded_at: Mapped[str] = mapped_column(Short)


class InstalledRow(Row):
    """A release that was brought to run here; rows are only added, the newest counts."""

    __tablename__ = "installed_releases"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(Short)
    version: Mapped[str] = mapped_column(Short)
    instances: Mapped[str] = mapped_column(Text)
    settings: Mapped[str] = mapped_column(Text)
    point: Mapped[str | None] = mapped_column(Short)
    at: Mapped[str] = mapped_column(Short)


class AddressRow(Row):
    """The fixed addresses of `UNIT/REPLICA`."""

    __tablename__ = "addresses"

    replica: Mapped[str] = mapped_column(Short, primary_key=True)
    addresses: Mapped[str] = mapped_column(Text)


class OperationRow(Row):
    """One run of a plan."""

    __tablename__ = "operations"
    __table_args__ = (UniqueConstraint("id"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(Short)
    verb: Mapped[str] = mapped_column(Short)
    plan: Mapped[str] = mapped_column(Text)
    direction: Mapped[str] = mapped_column(Short)
    state: Mapped[str] = mapped_column(Short)
    cause: Mapped[str | None] = mapped_column(Text)
    fence: Mapped[int]
    opened_at: Mapped[str] = mapped_column(Short)


class JournalRow(Row):
    """What was begun, done or failed; `hash` covers the row and, by `previous`, all before it."""

    __tablename__ = "journal"
    __table_args__ = (Index(None, "operation"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    operation: Mapped[str] = mapped_column(Short, ForeignKey("operations.id"))
    step: Mapped[str] = mapped_column(Text)
    direction: Mapped[str] = mapped_column(Short)
    event: Mapped[str] = mapped_column(Short)
    record: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    at: Mapped[str] = mapped_column(Short)
    previous: Mapped[str] = mapped_column(Short)
    hash: Mapped[str] = mapped_column(Short)


class PointRow(Row):
    """A rollback point; the document is the whole of it."""

    __tablename__ = "points"
    __table_args__ = (UniqueConstraint("id"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(Short)
    document: Mapped[str] = mapped_column(Text)


class BackupRow(Row):
    """A dump of a database; without a document it was removed, and its number is used up."""

    __tablename__ = "backups"
    __table_args__ = (UniqueConstraint("id"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(Short)
    database: Mapped[str] = mapped_column(Short)
    release: Mapped[str] = mapped_column(Short)
    operation: Mapped[str | None] = mapped_column(Short)
    document: Mapped[str | None] = mapped_column(Text)


class WaiverRow(Row):
    """A failed check that somebody answers for; rows are only added, the newest counts."""

    __tablename__ = "waivers"
    __table_args__ = (Index(None, "release"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    release: Mapped[str] = mapped_column(Short)
    check: Mapped[str] = mapped_column(Short)
    document: Mapped[str] = mapped_column(Text)


class LockRow(Row):
    """The site's lock, one row; `held` is None when it is free, `fence` only ever grows."""

    __tablename__ = "site_lock"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    fence: Mapped[int]
    held: Mapped[str | None] = mapped_column(Text)


class LockBreakRow(Row):
    """A lock that was broken by hand, and why."""

    __tablename__ = "lock_breaks"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    held: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[str] = mapped_column(Short)
