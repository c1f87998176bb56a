"""The room that the releases of a path take at a site: images, dumps, and dumps restored."""

import os
from collections.abc import Iterable, Iterator, Sequence

from s1ctl.database.scripts import PLACES
from s1ctl.errors import S1Error
from s1ctl.oci.digest import Digest
from s1ctl.oci.manifest import Descriptor, Index, parse_manifest
from s1ctl.operation.context import Context
from s1ctl.plan.presence import Presence
from s1ctl.preflight.machine import platform_of
from s1ctl.release.manifest import Image
from s1ctl.release.verified import VerifiedRelease

MIB = 1 << 20
UNPACKED = 3  # layers take about so many times their size once the engine has unpacked them
IMAGE_INODES = 50_000
STATE_INODES = 1_000


def lacking(context: Context, releases: Iterable[VerifiedRelease]) -> tuple[Image, ...]:
    """List the images that the engine does not have, or that it cannot be asked for."""
    access = context.site.registry
    found: dict[Digest, Image] = {}
    for release in releases:
        for image in release.manifest.images:
            if not _has(context, access.reference(image.repository, image.digest)):
                found[image.digest] = image
    return tuple(found.values())


def _has(context: Context, reference: str) -> bool:
    try:
        return context.target.has_image(reference) is Presence.PRESENT
    except S1Error:
        return False


def disk_bytes(
    root: str, state: str, releases: Sequence[VerifiedRelease], pulls: Sequence[Image]
) -> dict[str, int]:
    """Say what each folder will take: images to pull, and what the releases ask for.

    `root` is the engine's, and may be the `state` directory where it is not known.
    """
    asked = max((r.manifest.requires.disk_mib for r in releases), default=0) * MIB
    room = max(asked, UNPACKED * _layer_bytes(releases, pulls)) if pulls else 0
    return {state: asked // 4, root: room + (asked // 4 if root == state else 0)}


def inodes(root: str, state: str, pulls: Sequence[Image]) -> dict[str, int]:
    """Say how many files each folder will take; an image has thousands."""
    return {state: STATE_INODES, root: IMAGE_INODES if pulls else STATE_INODES}


def copies(context: Context, root: str, databases: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Say in which folders each database lies once more: as a dump, and restored to prove it.

    The dump of a platform's own database is restored in a container, that of another one by the
    programs of this host, as a user who may not read the state directory.
    """
    state, known = str(context.site.state), context.site.databases
    return {
        name: (state, root if known[name].service is not None else _scratch())
        for name in databases
        if name in known
    }


def _scratch() -> str:
    """Say where PostgreSQL's own programs restore a dump on this host to prove it."""
    return next((place for place in PLACES if os.access(place, os.W_OK)), PLACES[0])


def engine_root(context: Context) -> str:
    """Say where the engine keeps its images; of one that cannot be asked, the state directory."""
    root = context.target.facts().get("engine.root")
    return str(root.value) if root and root.value else str(context.site.state)


def _layer_bytes(releases: Iterable[VerifiedRelease], pulls: Iterable[Image]) -> int:
    """Add up the layers that will be pulled; what an image that is there has, is there."""
    wanted = {image.digest for image in pulls}
    lacks: dict[Digest, int] = {}
    there: set[Digest] = set()
    for release in releases:
        for image in release.manifest.images:
            layers = {layer.digest: layer.size for layer in _layers(release, image.digest)}
            if image.digest in wanted:
                lacks |= layers
            else:
                there |= layers.keys()
    return sum(size for digest, size in lacks.items() if digest not in there)


def _layers(release: VerifiedRelease, digest: Digest) -> Iterator[Descriptor]:
    """Walk an image; of an index, only what this machine runs, or all where it says nothing."""
    found = parse_manifest(release.small(digest), None)
    if not isinstance(found, Index):
        yield from found.layers
        return
    own = platform_of(os.uname().machine)
    fitting = [one for one in found.manifests if str(one.platform).startswith(own)]
    for one in fitting or found.manifests:
        yield from _layers(release, one.digest)
