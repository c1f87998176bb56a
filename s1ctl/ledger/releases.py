"""Which releases were loaded here, and which were installed."""

from dataclasses import dataclass
from datetime import datetime

from packaging.version import Version
from sqlalchemy import delete, func, select

from s1ctl.ledger.columns import time_of, time_text, to_text, value_of
from s1ctl.ledger.connection import Database
from s1ctl.ledger.models import InstalledRow, LoadedRow
from s1ctl.oci.digest import Digest
from s1ctl.plan.plan import Settings
from s1ctl.plan.steps import Instance

NOTHING = ""  # the digest of a row that says that the site was uninstalled
_NEWEST_FIRST = select(InstalledRow).order_by(InstalledRow.number.desc())


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRelease:
    """A release that `load` has put into registry and release store."""

    digest: Digest
    product: str
    channel: str
    version: Version
    sequence: int
    loaded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A release as it was installed; `point` is the one that was recorded before it."""

    number: int
    digest: Digest
    version: Version
    instances: tuple[Instance, ...]
    settings: Settings
    point: str | None
    at: datetime


class Releases:
    """Releases by payload digest."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record_loaded(
        self,
        *,
        digest: Digest,
        product: str,
        channel: str,
        version: Version,
        sequence: int,
        at: datetime,
    ) -> None:
        """Record a release as loaded; again is harmless."""
        row = LoadedRow(
            digest=digest,
            product=product,
            channel=channel,
            version=str(version),
            sequence=sequence,
            loaded_at=time_text(at),
        )
        with self._database.writing() as session:
            session.merge(row)

    def forget_loaded(self, digest: Digest) -> None:
        """Forget that a release was loaded."""
        with self._database.writing() as session:
            session.execute(delete(LoadedRow).where(LoadedRow.digest == digest))

    def loaded(self) -> tuple[LoadedRelease, ...]:
        """Hand out every loaded release, by sequence."""
        with self._database.reading() as session:
            rows = session.scalars(select(LoadedRow).order_by(LoadedRow.sequence, LoadedRow.digest))
            return tuple(_loaded(row) for row in rows)

    def record_installed(
        self,
        *,
        digest: Digest,
        version: Version,
        instances: tuple[Instance, ...],
        settings: Settings,
        point: str | None,
        at: datetime,
    ) -> Installed:
        """Add a release as the installed one."""
        with self._database.writing() as session:
            newest = session.scalar(select(func.max(InstalledRow.number))) or 0
            row = InstalledRow(
                number=newest + 1,
                digest=digest,
                version=str(version),
                instances=to_text(instances),
                settings=to_text(settings),
                point=point,
                at=time_text(at),
            )
            session.add(row)
            return _installed(row)

    def record_uninstalled(self, *, at: datetime) -> None:
        """Add that nothing is installed any more; again is harmless."""
        with self._database.writing() as session:
            newest = session.scalar(_NEWEST_FIRST.limit(1))
            if newest is not None and newest.digest != NOTHING:
                row = InstalledRow(
                    number=newest.number + 1,
                    digest=NOTHING,
                    version=NOTHING,
                    instances="[]",
                    settings="{}",
                    point=None,
                    at=time_text(at),
                )
                session.add(row)

    def installed(self) -> Installed | None:
        """Hand out the installed release; None where nothing is."""
        with self._database.reading() as session:
            row = session.scalar(_NEWEST_FIRST.limit(1))
            return None if row is None or row.digest == NOTHING else _installed(row)

    def uninstalled_at(self) -> datetime | None:
        """Say since when nothing is installed; None where something is, or never was."""
        with self._database.reading() as session:
            row = session.scalar(_NEWEST_FIRST.limit(1))
            return time_of(row.at) if row is not None and row.digest == NOTHING else None

    def installs(self, *, limit: int = 1000) -> tuple[Installed, ...]:
        """Hand out what was installed, newest first."""
        some = _NEWEST_FIRST.where(InstalledRow.digest != NOTHING).limit(limit)
        with self._database.reading() as session:
            return tuple(_installed(row) for row in session.scalars(some))


def _loaded(row: LoadedRow) -> LoadedRelease:
    return LoadedRelease(
        digest=value_of(to_text(row.digest), Digest),
        product=row.product,
        channel=row.channel,
        version=value_of(to_text(row.version), Version),
        sequence=row.sequence,
        loaded_at=time_of(row.loaded_at),
    )


def _installed(row: InstalledRow) -> Installed:
    return Installed(
        number=row.number,
        digest=value_of(to_text(row.digest), Digest),
        version=value_of(to_text(row.version), Version),
        instances=value_of(row.instances, tuple[Instance, ...]),
        settings=value_of(row.settings, Settings),
        point=row.point,
        at=time_of(row.at),
    )
