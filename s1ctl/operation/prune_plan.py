"""Decide what a site no longer needs: pure, from facts to a plan."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from s1ctl.errors import S1Error
from s1ctl.ledger.points import RollbackPoint
from s1ctl.ledger.releases import Installed
from s1ctl.oci.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Tag:
    """A tag in a repository of the registry, and the digest that it was given."""

    repository: str
    tag: str
    digest: Digest

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRelease:
    """A release as it lies in store, registry and engine; with a `fault` nothing is known of it.

    `manifests` are pairs of repository and digest, indexes before what they name.
    """

    digest: Digest
    version: str
    sequence: int = 0
    manifests: tuple[tuple[str, Digest], ...] = ()
    tags: tuple[Tag, ...] = ()
    references: tuple[str, ...] = ()
    layers: Mapping[Digest, int] = field(default_factory=dict)
    store_bytes: int = 0
    fault: S1Error | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBackup:
    """A dump; `is_of_point` where only its point knows of it, so that they go together.

    With `is_archive` it keeps what a restore took away.
    """

    id: str
    database: str
    path: Path
    size_bytes: int
    is_proven: bool = False
    is_archive: bool = False
    point: str | None = None
    is_of_point: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneFacts:
    """What there is. Points and backups come newest first.

    `last` is the release that was installed last, also where it was uninstalled since. `named` are
    all texts in the plan of the operation `unfinished`. `images` are those that the engine has,
    with their bytes.
    """

    keep: int
    installed: Installed | None
    last: Installed | None
    releases: tuple[StoredRelease, ...]
    points: tuple[RollbackPoint, ...]
    backups: tuple[StoredBackup, ...]
    unfinished: str | None = None
    named: frozenset[str] = frozenset()
    images: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunePlan:
    """What goes, and what stays for which reason.

    `tags` are those whose manifest stays; the others go with theirs. `registry_bytes` come free by
    the registry's own garbage collection; `engine_bytes` count shared layers more than once.
    """

    releases: tuple[StoredRelease, ...]
    manifests: tuple[tuple[str, Digest], ...]
    tags: tuple[Tag, ...]
    images: Mapping[str, int]
    points: tuple[str, ...]
    backups: tuple[StoredBackup, ...]
    kept: Mapping[str, str]
    registry_bytes: int

    @property
    def content(self) -> tuple[object, ...]:
        """What two plans that do the same have in common."""
        digests = tuple(release.digest for release in self.releases)
        names = tuple(self.images)
        return digests, self.manifests, self.tags, names, self.points, self.backups

    @property
    def is_empty(self) -> bool:
        """Nothing goes."""
        return not (self.releases or self.points or self.backups)

    @property
    def engine_bytes(self) -> int:
        """At most that much comes free at the engine."""
        return sum(self.images.values())

    @property
    def state_bytes(self) -> int:
        """That much comes free in the state directory."""
        stored = sum(release.store_bytes for release in self.releases)
        return stored + sum(backup.size_bytes for backup in self.backups)


def make_prune_plan(facts: PruneFacts) -> PrunePlan:
    """Decide what goes: nothing that a kept point, an installed release or an operation names.

    Raises the fault of a release that must stay: what it needs is not known.
    """
    points = _kept_points(facts)
    releases = _kept_releases(facts, points)
    staying = [r for r in facts.releases if r.digest in releases]
    for release in staying:
        if release.fault is not None:
            raise release.fault
    going = tuple(r for r in facts.releases if r.digest not in releases)
    backups = _kept_backups(facts, points)
    kept = {f"release {r.version}": releases[r.digest] for r in staying}
    kept |= {f"point {point}": why for point, why in points.items()}
    kept |= {
        f"backup {b.id} of {b.database}": backups[b.path]
        for b in facts.backups
        if b.path in backups
    }
    return PrunePlan(
        releases=going,
        manifests=_manifests(going, staying),
        tags=_tags(going, staying),
        images=_images(facts, going, staying),
        points=tuple(p.id for p in facts.points if p.id not in points),
        backups=tuple(b for b in facts.backups if b.path not in backups),
        kept=kept,
        registry_bytes=_layer_bytes(going, staying),
    )


def _kept_points(facts: PruneFacts) -> dict[str, str]:
    why: dict[str, str] = {}
    for point in facts.points:
        if point.id in facts.named:
            why[point.id] = f"operation {facts.unfinished} names it"
        elif facts.installed is not None and point.id == facts.installed.point:
            why[point.id] = "`rollback` goes there"
    for point in facts.points[: facts.keep]:
        why.setdefault(point.id, f"one of the newest {facts.keep}")
    return why


def _kept_releases(facts: PruneFacts, points: Mapping[str, str]) -> dict[Digest, str]:
    """Say which releases stay; of several reasons the last counts."""
    why = {r.digest: "it is newer than the installed one" for r in _newer(facts)}
    for point in facts.points:
        if point.id in points:
            why |= dict.fromkeys(_of_point(point), f"point {point.id} names it")
    named = (r.digest for r in facts.releases if r.digest in facts.named)
    why |= dict.fromkeys(named, f"operation {facts.unfinished} names it")
    if facts.installed is not None:
        why |= {i.release: "a unit of it runs" for i in facts.installed.instances}
        why[facts.installed.digest] = "it is installed"
    elif facts.last is not None:
        why[facts.last.digest] = "it was installed last"
    return why


def _newer(facts: PruneFacts) -> Iterator[StoredRelease]:
    """List what was loaded for later: above what was installed last, or all where nothing was."""
    last = facts.last.digest if facts.last else None
    sequence = next((r.sequence for r in facts.releases if r.digest == last), 0)
    return (release for release in facts.releases if release.sequence > sequence)


def _of_point(point: RollbackPoint) -> Iterator[Digest]:
    """Name its release, and those of its units, which may be older: a hop leaves what is equal."""
    if point.release is not None:
        yield point.release
    yield from (instance.release for instance in point.running)


def _kept_backups(facts: PruneFacts, points: Mapping[str, str]) -> dict[Path, str]:
    """Say which dumps stay; of each database the newest, and the newest that was proven."""
    why: dict[Path, str] = {}
    for _, dumps in groupby(sorted(facts.backups, key=_database), key=_database):
        own = list(dumps)
        alone = [b for b in own if not b.is_of_point]
        why |= {b.path: f"one of the newest {facts.keep}" for b in alone[: facts.keep]}
        why |= {b.path: "the newest that was proven" for b in [b for b in own if b.is_proven][:1]}
        why |= {b.path: f"of point {b.point}" for b in own if b.point in points}
        why |= {
            b.path: f"operation {facts.unfinished} names it" for b in own if b.id in facts.named
        }
    return why


def _database(backup: StoredBackup) -> tuple[str, bool]:
    """Count dumps of each database, and what restores took from it, apart."""
    return backup.database, backup.is_archive


def _manifests(
    going: tuple[StoredRelease, ...], staying: list[StoredRelease]
) -> tuple[tuple[str, Digest], ...]:
    needed = {pair for release in staying for pair in release.manifests}
    found = dict.fromkeys(pair for release in going for pair in release.manifests)
    return tuple(pair for pair in found if pair not in needed)


def _tags(going: tuple[StoredRelease, ...], staying: list[StoredRelease]) -> tuple[Tag, ...]:
    needed = {str(tag) for release in staying for tag in release.tags}
    manifests = {pair for release in staying for pair in release.manifests}
    found = dict.fromkeys(tag for release in going for tag in release.tags)
    return tuple(
        tag for tag in found if (tag.repository, tag.digest) in manifests and str(tag) not in needed
    )


def _images(
    facts: PruneFacts, going: tuple[StoredRelease, ...], staying: list[StoredRelease]
) -> dict[str, int]:
    needed = {name for release in staying for name in release.references} | facts.named
    found = dict.fromkeys(name for release in going for name in release.references)
    return {n: facts.images[n] for n in found if n in facts.images and n not in needed}


def _layer_bytes(going: tuple[StoredRelease, ...], staying: list[StoredRelease]) -> int:
    needed = {digest for release in staying for digest in release.layers}
    found = {digest: size for release in going for digest, size in release.layers.items()}
    return sum(size for digest, size in found.items() if digest not in needed)
