"""What a release needs of a registry: which blobs in which repositories, manifests, tags."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from s1ctl.oci.digest import Digest
from s1ctl.oci.manifest import Index, parse_manifest
from s1ctl.oci.reference import check_repository
from s1ctl.release.manifest import Image
from s1ctl.release.verified import VerifiedRelease


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobNeed:
    """A blob, and every repository that must hold it, in the order of the images."""

    digest: Digest
    size: int
    repositories: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestNeed:
    """A manifest or index in a repository, and the blobs and manifests that it names."""

    repository: str
    digest: Digest
    media_type: str
    blobs: tuple[Digest, ...]
    children: tuple[Digest, ...]
    raw: bytes = field(repr=False)

    def __str__(self) -> str:
        return f"{self.repository}@{self.digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagNeed:
    """A tag that must name the manifest."""

    tag: str
    manifest: ManifestNeed

    def __str__(self) -> str:
        return f"{self.manifest.repository}:{self.tag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """Blobs with the largest first, manifests with children before their indexes, tags."""

    blobs: tuple[BlobNeed, ...]
    manifests: tuple[ManifestNeed, ...]
    tags: tuple[TagNeed, ...]

    @property
    def unique_bytes(self) -> int:
        """The bytes of all blobs, each counted once."""
        return sum(need.size for need in self.blobs)


def make_needs(release: VerifiedRelease, prefix: str) -> Needs:
    """Work out what a registry must hold under `prefix` so that the release can be pulled."""
    manifests: dict[tuple[str, Digest], ManifestNeed] = {}
    blobs: dict[Digest, BlobNeed] = {}
    tags = []
    for image in release.manifest.images:
        repository = site_repository(prefix, image)
        for need in _walk(release, repository, (image.digest, image.media_type), manifests):
            _add_blobs(blobs, need)
        root = manifests[repository, image.digest]
        tags += [TagNeed(tag=tag, manifest=root) for tag in image.tags]
    return Needs(
        blobs=tuple(sorted(blobs.values(), key=lambda need: (-need.size, need.digest))),
        manifests=tuple(manifests.values()),
        tags=tuple(tags),
    )


def site_repository(prefix: str, image: Image) -> str:
    """Name the repository of an image in a site's registry; `prefix` may be empty."""
    return check_repository(f"{prefix}/{image.repository}" if prefix else image.repository)


def _walk(
    release: VerifiedRelease,
    repository: str,
    at: tuple[Digest, str],
    manifests: dict[tuple[str, Digest], ManifestNeed],
) -> Iterator[ManifestNeed]:
    """Put a manifest and all below it into `manifests`, children first; yield the new ones."""
    digest, media_type = at
    if (repository, digest) in manifests:
        return
    raw = release.small(digest)
    document = parse_manifest(raw, media_type)
    children = document.manifests if isinstance(document, Index) else ()
    for child in children:
        yield from _walk(release, repository, (child.digest, child.media_type), manifests)
    blobs = () if isinstance(document, Index) else document.descriptors
    need = ManifestNeed(
        repository=repository,
        digest=digest,
        media_type=media_type,
        blobs=tuple(blob.digest for blob in blobs),
        children=tuple(child.digest for child in children),
        raw=raw,
    )
    manifests[repository, digest] = need
    yield need


def _add_blobs(blobs: dict[Digest, BlobNeed], need: ManifestNeed) -> None:
    document = parse_manifest(need.raw, need.media_type)
    if isinstance(document, Index):
        return
    for blob in document.descriptors:
        known = blobs.get(blob.digest)
        repositories = known.repositories if known else ()
        if need.repository not in repositories:
            blobs[blob.digest] = BlobNeed(
                digest=blob.digest, size=blob.size, repositories=(*repositories, need.repository)
            )
