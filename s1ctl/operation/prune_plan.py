"""Decide what a site no longer needs: pure, from facts to a plan."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from s1ctl.errors import S1Error
from s1ctl.ledger.points import RollbackPoint
from s1ctl.ledger.releases import Installed
from s1ctl.oci.digest import Digest
from s1ctl.plan.steps import Instance

Named = tuple[str, Digest]  # a manifest: its repository and digest


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Tag:
    """A tag in a repository of the registry, and the digest that it was given."""

    repository: str
    tag: str
    digest: Digest

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """An image of a release: in the engine by `reference`, in the registry by the rest.

    `manifests` has an index before those that it names; `units` are those made from the image.
    """

    reference: str
    manifests: tuple[Named, ...]
    tags: tuple[Tag, ...]
    layers: Mapping[Digest, int]
    units: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRelease:
    """A release as it lies in the store; with a `fault` nothing is known of its images."""

    digest: Digest
    version: str
    sequence: int = 0
    images: tuple[StoredImage, ...] = ()
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
    all texts in the plan of the operation `unfinished`. `in_engine` has bytes by reference;
    `in_registry` is empty where the registry is to be left alone.
    """

    keep: int
    installed: Installed | None
    last: Installed | None
    releases: tuple[StoredRelease, ...]
    points: tuple[RollbackPoint, ...]
    backups: tuple[StoredBackup, ...]
    unfinished: str | None = None
    named: frozenset[str] = frozenset()
    in_engine: Mapping[str, int] = field(default_factory=dict)
    in_registry: frozenset[Named] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunePlan:
    """What goes, and what stays for which reason.

    `tags` go with their manifests, `lone_tags` without. `registry_bytes` come free by the
    registry's own garbage collection; bytes of `images` count shared layers more than once.
    """

    releases: tuple[StoredRelease, ...]
    manifests: tuple[Named, ...]
    tags: tuple[Tag, ...]
    lone_tags: tuple[Tag, ...]
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
        return digests, self.manifests, self.lone_tags, names, self.points, self.backups

    @property
    def is_empty(self) -> bool:
        """Nothing goes."""
        return not any(self.content)

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

    A release of which only a unit still runs keeps its place in the store and that unit's image.
    Raises the fault of a release that must stay: what it needs is not known.
    """
    points = _kept_points(facts)
    whole, parts = _kept_releases(facts, points), _kept_units(facts, points)
    why = {digest: f"its {', '.join(sorted(units))} is in use" for digest, units in parts.items()}
    why |= whole
    staying = [r for r in facts.releases if r.digest in why]
    for release in staying:
        if release.fault is not None:
            raise release.fault
    going = tuple(r for r in facts.releases if r.digest not in why)
    needed = [
        i for r in staying for i in r.images if r.digest in whole or i.units & parts[r.digest]
    ]
    every = [image for release in facts.releases for image in release.images]
    manifests = _manifests(facts, every, needed)
    backups = _kept_backups(facts, points)
    dumps = {f"backup {b.id}": backups[b.path] for b in facts.backups if b.path in backups}
    return PrunePlan(
        releases=going,
        manifests=manifests,
        tags=tuple(t for t in _tags(every) if (t.repository, t.digest) in manifests),
        lone_tags=_lone_tags(facts, going, needed),
        images=_images(facts, every, needed),
        points=tuple(p.id for p in facts.points if p.id not in points),
        backups=tuple(b for b in facts.backups if b.path not in backups),
        kept={
            **{f"release {r.version}": why[r.digest] for r in staying},
            **{f"point {point}": reason for point, reason in points.items()},
            **dumps,
        },
        registry_bytes=_layer_bytes(every, needed, set(manifests)),
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
    """Say which releases stay as a whole; of several reasons the last counts."""
    why = {r.digest: "it is newer than the installed one" for r in _newer(facts)}
    for point in facts.points:
        if point.id in points and point.release is not None:
            why[point.release] = f"point {point.id} names it"
    named = (r.digest for r in facts.releases if r.digest in facts.named)
    why |= dict.fromkeys(named, f"operation {facts.unfinished} names it")
    if facts.installed is not None:
        why[facts.installed.digest] = "it is installed"
    elif facts.last is not None:
        why[facts.last.digest] = "it was installed last"
    return why


def _kept_units(facts: PruneFacts, points: Mapping[str, str]) -> dict[Digest, set[str]]:
    """Say of which releases a unit runs, or ran at a kept point: a hop leaves what is equal."""
    units: dict[Digest, set[str]] = {}
    for instance in _instances(facts, points):
        units.setdefault(instance.release, set()).add(instance.unit)
    return units


def _instances(facts: PruneFacts, points: Mapping[str, str]) -> Iterator[Instance]:
    now = facts.installed or facts.last
    yield from now.instances if now else ()
    for point in facts.points:
        yield from point.running if point.id in points else ()


def _newer(facts: PruneFacts) -> Iterator[StoredRelease]:
    """List what was loaded for later: above what was installed last, or all where nothing was."""
    last = facts.last.digest if facts.last else None
    sequence = next((r.sequence for r in facts.releases if r.digest == last), 0)
    return (release for release in facts.releases if release.sequence > sequence)


def _kept_backups(facts: PruneFacts, points: Mapping[str, str]) -> dict[Path, str]:
    """Say which dumps stay; of each database the newest, and the newest that was proven."""
    why: dict[Path, str] = {}
    for _, dumps in groupby(sorted(facts.backups, key=_kind), key=_kind):
        own = list(dumps)
        alone = [b for b in own if not b.is_of_point]
        why |= {b.path: f"one of the newest {facts.keep}" for b in alone[: facts.keep]}
        why |= {b.path: "the newest that was proven" for b in [b for b in own if b.is_proven][:1]}
        why |= {b.path: f"of point {b.point}" for b in own if b.point in points}
        why |= {
            b.path: f"operation {facts.unfinished} names it" for b in own if b.id in facts.named
        }
    return why


def _kind(backup: StoredBackup) -> tuple[str, bool]:
    """Count dumps of each database, and what restores took from it, apart."""
    return backup.database, backup.is_archive


def _manifests(
    facts: PruneFacts, every: list[StoredImage], needed: list[StoredImage]
) -> tuple[Named, ...]:
    """List what the registry has of all images that are known, and no needed one names."""
    kept = {pair for image in needed for pair in image.manifests}
    found = dict.fromkeys(pair for image in every for pair in image.manifests)
    return tuple(pair for pair in found if pair in facts.in_registry and pair not in kept)


def _images(
    facts: PruneFacts, every: list[StoredImage], needed: list[StoredImage]
) -> dict[str, int]:
    """List what the engine has of all images that are known, and that is not needed."""
    kept = {image.reference for image in needed} | facts.named
    names = dict.fromkeys(i.reference for i in every if i.reference not in kept)
    return {name: facts.in_engine[name] for name in names if name in facts.in_engine}


def _lone_tags(
    facts: PruneFacts, going: tuple[StoredRelease, ...], needed: list[StoredImage]
) -> tuple[Tag, ...]:
    """List the tags of releases that go on manifests that stay, unless a needed image has them."""
    names = {str(tag) for tag in _tags(needed)}
    staying = {pair for image in needed for pair in image.manifests} & facts.in_registry
    found = _tags(image for release in going for image in release.images)
    return tuple(t for t in found if (t.repository, t.digest) in staying and str(t) not in names)


def _tags(images: Iterable[StoredImage]) -> tuple[Tag, ...]:
    return tuple(dict.fromkeys(tag for image in images for tag in image.tags))


def _layer_bytes(every: list[StoredImage], needed: list[StoredImage], gone: set[Named]) -> int:
    kept = {digest for image in needed for digest in image.layers}
    going = (image for image in every if gone & set(image.manifests))
    found = {digest: size for image in going for digest, size in image.layers.items()}
    return sum(size for digest, size in found.items() if digest not in kept)
