"""Prune: find what there is, have it decided, and remove what no longer serves."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s1ctl.bundle.load import ONLY_IN_REGISTRY
from s1ctl.bundle.needs import ManifestNeed, Needs, make_needs
from s1ctl.database.restore import description_path
from s1ctl.errors import InputOutputFailed, PlanDiffers, S1Error
from s1ctl.files import sync_folder
from s1ctl.ledger.holder import lives
from s1ctl.ledger.points import RollbackPoint
from s1ctl.oci.digest import Digest
from s1ctl.oci.manifest import Descriptor, Index, parse_manifest
from s1ctl.oci.registry import Registry
from s1ctl.operation.context import Context
from s1ctl.operation.prune_plan import (
    Named,
    PruneFacts,
    PrunePlan,
    StoredBackup,
    StoredImage,
    StoredRelease,
    Tag,
    make_prune_plan,
)
from s1ctl.progress import Notify, Progress
from s1ctl.release.manifest import Image
from s1ctl.release.verified import VerifiedRelease
from s1ctl.shape import plain

NAME = "prune"


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneReport:
    """What is left undone: tags that the registry did not delete, images that containers use.

    `is_deletion_off` where the registry allows no deletion at all.
    """

    left_tags: tuple[Tag, ...]
    left_images: tuple[str, ...]
    is_deletion_off: bool


def prune_facts(context: Context, *, keep: int, is_registry_left: bool) -> PruneFacts:
    """Find what there is in store, ledger and engine, and unless it is left in the registry."""
    ledger = context.ledger
    unfinished = ledger.operations.unfinished()
    releases = tuple(_releases(context))
    images = [image for release in releases for image in release.images]
    sizes = {i.reference: context.target.image_bytes(i.reference) for i in images}
    points = ledger.points.all()
    return PruneFacts(
        keep=keep,
        installed=ledger.releases.installed(),
        last=next(iter(ledger.releases.installs(limit=1)), None),
        releases=releases,
        points=points,
        backups=tuple(_backups(context, points)),
        unfinished=unfinished.id if unfinished else None,
        named=frozenset(_texts(plain(unfinished.plan))) if unfinished else frozenset(),
        in_engine={name: size for name, size in sizes.items() if size is not None},
        in_registry=frozenset() if is_registry_left else _found(context.registry(), images),
    )


def prune(
    context: Context, plan: PrunePlan, *, keep: int, is_registry_left: bool, notify: Notify
) -> PruneReport:
    """Remove what the plan says: dumps, points, manifests, images, then the releases.

    A release leaves the store last, since it tells what else is to go: killed anywhere, prune is
    simply run again. Holds the site meanwhile. Raises `SiteHeld` S1-L01, and `PlanDiffers` S1-N60
    when the site changed since the plan was made.
    """
    with _holding(context):
        now = prune_facts(context, keep=keep, is_registry_left=is_registry_left)
        _refuse_other(plan, make_prune_plan(now))
        for backup in plan.backups:
            _remove_dump(context, backup)
            if not backup.is_of_point:
                context.ledger.backups.remove(backup.id)
        for point in plan.points:
            context.ledger.points.remove(point)
        is_off, left_tags = _prune_registry(context, plan, notify)
        left_images = tuple(n for n in plan.images if not context.target.remove_image(n))
        for release in plan.releases:
            context.ledger.releases.forget_loaded(release.digest)
            context.store.remove(release.digest)
    return PruneReport(left_tags=left_tags, left_images=left_images, is_deletion_off=is_off)


def _found(registry: Registry, images: Sequence[StoredImage]) -> frozenset[Named]:
    """Ask the registry which manifests it has."""
    pairs = {pair for image in images for pair in image.manifests}
    return frozenset(pair for pair in pairs if registry.has_manifest(*pair) is not None)


def _releases(context: Context) -> Iterator[StoredRelease]:
    """List every release that the store has, or that the ledger takes for loaded or installed."""
    loaded = {r.digest: str(r.version) for r in context.ledger.releases.loaded()}
    needed = {p.release: str(p.version) for p in context.ledger.points.all() if p.release}
    installed = context.ledger.releases.installed()
    if installed is not None:
        needed |= {i.release: i.version for i in installed.instances}
        needed[installed.digest] = str(installed.version)
    stored = dict.fromkeys(context.store.digests(), "?")
    for digest, version in {**stored, **needed, **loaded}.items():
        yield _stored(context, digest, version)


def _stored(context: Context, digest: Digest, version: str) -> StoredRelease:
    try:
        release = context.release(digest)
        needs = make_needs(release, context.site.registry.prefix)
    except S1Error as error:
        return StoredRelease(digest=digest, version=version, fault=error)
    manifest = release.manifest
    small = {b.digest: b.size for b in manifest.blobs if b.kind not in ONLY_IN_REGISTRY}
    return StoredRelease(
        digest=release.digest,
        version=str(manifest.version),
        sequence=manifest.sequence,
        images=tuple(_image(context, release, needs, image) for image in manifest.images),
        store_bytes=len(release.header) + sum(small.values()),
    )


def _image(context: Context, release: VerifiedRelease, needs: Needs, image: Image) -> StoredImage:
    access, manifest = context.site.registry, release.manifest
    repository = access.repository(image.repository)
    by_digest = {need.digest: need for need in needs.manifests if need.repository == repository}
    manifests = tuple(_below(by_digest, image.digest))
    blobs = (blob for need in manifests for blob in _blobs(need))
    return StoredImage(
        reference=access.reference(image.repository, image.digest),
        manifests=tuple((repository, need.digest) for need in manifests),
        tags=tuple(Tag(repository=repository, tag=t, digest=image.digest) for t in image.tags),
        layers={blob.digest: blob.size for blob in blobs},
        units=frozenset(unit.name for unit in manifest.units if image.name in unit.images),
    )


def _below(manifests: Mapping[Digest, ManifestNeed], digest: Digest) -> Iterator[ManifestNeed]:
    """Yield a manifest, and where it is an index those that it names."""
    need = manifests[digest]
    yield need
    document = parse_manifest(need.raw, need.media_type)
    if isinstance(document, Index):
        for child in document.manifests:
            yield from _below(manifests, child.digest)


def _blobs(need: ManifestNeed) -> tuple[Descriptor, ...]:
    document = parse_manifest(need.raw, need.media_type)
    return () if isinstance(document, Index) else document.descriptors


def _backups(context: Context, points: Sequence[RollbackPoint]) -> Iterator[StoredBackup]:
    """List the dumps, newest first: those of the ledger, then those that only a point knows."""
    of_points = {
        Path(str(dump["path"])): (point.id, database, dump)
        for point in points
        for database, dump in point.backups.items()
    }
    for backup in context.ledger.backups.all():
        point, *_ = of_points.pop(Path(backup.path), (None,))
        yield StoredBackup(
            id=backup.id,
            database=backup.database,
            path=Path(backup.path),
            size_bytes=backup.size_bytes,
            is_proven=backup.is_proven,
            is_archive=backup.is_archive,
            point=point,
        )
    for path, (point, database, dump) in of_points.items():
        yield StoredBackup(
            id=point,
            database=database,
            path=path,
            size_bytes=int(dump["size_bytes"]),
            point=point,
            is_of_point=True,
        )


def _texts(data: Any) -> Iterator[str]:
    """Yield every text in plain data, keys too."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield key
            yield from _texts(value)
    elif isinstance(data, list | tuple):
        for item in data:
            yield from _texts(item)


@contextmanager
def _holding(context: Context) -> Iterator[None]:
    """Hold the site in the ledger, so that no operation of this host runs at the same time.

    A paused operation stays what it is: its process is gone, and it takes the lock again.
    """
    lock = context.ledger.lock
    lock.acquire(
        operation=NAME,
        holder=context.holder,
        plan="",
        message=NAME,
        at=context.now(),
        is_alive=lives,
    )
    try:
        yield
    finally:
        lock.release(NAME)


def _refuse_other(plan: PrunePlan, now: PrunePlan) -> None:
    if now.content != plan.content:
        raise PlanDiffers(
            "the site was changed while the question was open; nothing was removed",
            code="S1-N60",
            hint="run `s1ctl prune` again and read what would go now",
        )


def _remove_dump(context: Context, backup: StoredBackup) -> None:
    """Remove a dump's file; one outside the state directory is somebody else's."""
    if not backup.path.is_relative_to(context.site.state):
        return
    try:
        backup.path.unlink(missing_ok=True)
        description_path(backup.path).unlink(missing_ok=True)
        if backup.path.parent.is_dir():
            sync_folder(backup.path.parent)
            if not any(backup.path.parent.iterdir()):
                backup.path.parent.rmdir()
    except OSError as error:
        raise InputOutputFailed(
            f"`{backup.path}` cannot be removed: {error.strerror}",
            code="S1-I32",
            hint="check owner and mount of the state directory, then run `s1ctl prune` again",
        ) from None


def _prune_registry(
    context: Context, plan: PrunePlan, notify: Notify
) -> tuple[bool, tuple[Tag, ...]]:
    """Delete manifests, then tags that are left; say whether deletion is off, and what stayed."""
    total = len(plan.manifests)
    for count, (repository, digest) in enumerate(plan.manifests, start=1):
        if not context.registry().delete_manifest(repository, digest):
            return True, (*plan.tags, *plan.lone_tags)
        notify(Progress(label="registry", done=count, total=total, unit="manifests"))
    tags = (*plan.tags, *plan.lone_tags)
    return False, tuple(tag for tag in tags if _is_left(context.registry(), tag))


def _is_left(registry: Registry, tag: Tag) -> bool:
    """Delete a tag that still names what it was given; say whether it is there afterwards."""
    if registry.has_manifest(tag.repository, tag.tag) != tag.digest:
        return False
    return not registry.delete_tag(tag.repository, tag.tag)
