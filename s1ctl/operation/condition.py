"""How a site stands: gathered read-only, part by part, with what cannot be known named."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from s1ctl.database.applied import applied_revisions
from s1ctl.errors import InputOutputFailed, S1Error
from s1ctl.ledger.backups import Backup
from s1ctl.ledger.holder import lives
from s1ctl.ledger.lock import Held
from s1ctl.ledger.operations import Operation
from s1ctl.ledger.points import RollbackPoint
from s1ctl.ledger.releases import Installed, LoadedRelease
from s1ctl.operation.context import Context
from s1ctl.operation.databases import dsn_of
from s1ctl.operation.drift import Drift, Recorded, find_drift, find_older_ledger
from s1ctl.plan.steps import Instance
from s1ctl.release.manifest import Schema
from s1ctl.release.verified import VerifiedRelease
from s1ctl.targets.docker_running import Running

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Something that could not be found out, and why."""

    what: str
    why: str
    todo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """The site at one moment. None is what is not there; what is not known is in `unknown`.

    `pending` are contracts that wait, `backups` the newest backup (None: none), both by database.
    `drift` is None while it cannot be told from an operation's own work; `fault` says why nothing
    can be recorded at present.
    """

    at: datetime
    installed: Installed | None
    uninstalled_at: datetime | None
    loaded: tuple[LoadedRelease, ...]
    running: tuple[Running, ...] | None
    drift: tuple[Drift, ...] | None
    pending: dict[str, tuple[str, ...]]
    points: tuple[RollbackPoint, ...]
    backups: dict[str, Backup | None]
    lock: Held | None
    is_holder_alive: bool
    unfinished: Operation | None
    last: Operation | None
    last_ended_at: datetime | None
    head: str
    unknown: tuple[Unknown, ...]
    fault: InputOutputFailed | None = None


def find_condition(context: Context) -> Condition:
    """Look at everything. Only the ledger must be readable; all else may be away."""
    ledger, look = context.ledger, _Look(context)
    installed, held = ledger.releases.installed(), ledger.lock.holder()
    last = next(iter(ledger.operations.history(1)), None)
    entries = ledger.operations.entries(last.id) if last else ()
    unfinished = ledger.operations.unfinished()
    running = look.running()
    return Condition(
        at=context.now(),
        installed=installed,
        uninstalled_at=ledger.releases.uninstalled_at(),
        loaded=ledger.releases.loaded(),
        running=running,
        drift=None if unfinished else look.drift(installed, running),
        pending=look.pending(installed),
        points=ledger.points.all(),
        backups=look.backups(installed),
        lock=held,
        is_holder_alive=held is not None and lives(held.holder),
        unfinished=unfinished,
        last=last,
        last_ended_at=entries[-1].at if entries else None,
        head=ledger.operations.head(),
        unknown=tuple(look.unknown),
        fault=ledger.fault,
    )


@dataclass(slots=True)
class _Look:
    """Looks at one part after the other, and notes what could not be found out."""

    context: Context
    unknown: list[Unknown] = field(default_factory=list)

    def running(self) -> tuple[Running, ...] | None:
        return self._try("what runs", self.context.target.running)

    def drift(
        self, installed: Installed | None, running: tuple[Running, ...] | None
    ) -> tuple[Drift, ...] | None:
        if running is None:
            return None
        instances = installed.instances if installed else ()
        recorded = [self._recorded(instance) for instance in instances]
        operations = self.context.ledger.operations
        newest = next((one.id for one in operations.history(1)), "")
        older = find_older_ledger(running, lambda name: operations.find(name) is not None, newest)
        return (*older, *find_drift(recorded, running, self.context.target.upstreams()))

    def pending(self, installed: Installed | None) -> dict[str, tuple[str, ...]]:
        """List the contracts that wait, for every database that answers."""
        release = self._release(installed)
        found: dict[str, tuple[str, ...]] = {}
        for schema in release.manifest.schemas if release and installed else ():
            contracts = self._contracts(schema, release, installed)
            if contracts is not None:
                found[schema.database] = contracts
        return found

    def backups(self, installed: Installed | None) -> dict[str, Backup | None]:
        release = self._release(installed)
        names = {s.database for s in release.manifest.schemas} if release else set()
        names |= {backup.database for backup in self.context.ledger.backups.all()}
        return {name: self.context.ledger.backups.newest(name) for name in sorted(names)}

    def _contracts(
        self, schema: Schema, release: VerifiedRelease | None, installed: Installed | None
    ) -> tuple[str, ...] | None:
        assert release is not None
        assert installed is not None

        def look() -> tuple[str, ...]:
            dsn = dsn_of(self.context, release.manifest, schema, installed.settings)
            applied = set(applied_revisions(dsn))
            contracts = (r.id for r in schema.revisions if r.phase == "contract")
            return tuple(revision for revision in contracts if revision not in applied)

        return self._try(f"the revisions of database {schema.database}", look)

    def _recorded(self, instance: Instance) -> Recorded:
        def look() -> Recorded:
            manifest = self.context.release(instance.release).manifest
            unit = manifest.unit(instance.unit)
            image = manifest.image(unit.images[0])
            return Recorded(
                instance=instance,
                image=self.context.site.registry.reference(image.repository, image.digest),
                role=unit.role,
                has_health=unit.health is not None,
            )

        what = f"the image and role of {instance.unit} {instance.version}"
        return self._try(what, look) or Recorded(instance=instance)

    def _release(self, installed: Installed | None) -> VerifiedRelease | None:
        if installed is None:
            return None
        return self._try(
            f"the contents of release {installed.version}",
            lambda: self.context.release(installed.digest),
        )

    def _try(self, what: str, look: Callable[[], T]) -> T | None:
        try:
            return look()
        except S1Error as error:
            if what not in {one.what for one in self.unknown}:
                self.unknown.append(Unknown(what=what, why=error.message, todo=error.hint))
            return None
