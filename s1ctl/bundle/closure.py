"""Whether a release is whole: every blob that it needs is there, and no other."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from s1ctl.errors import ContentsRefused
from s1ctl.oci.digest import Digest
from s1ctl.oci.manifest import Descriptor, Index, Manifest, parse_manifest
from s1ctl.oci.reference import check_repository, check_tag
from s1ctl.release.manifest import Blob, Image, ReleaseManifest

SMALL_LIMIT = 64 << 20
LIMITS = {
    "oci-manifest": 4 << 20,
    "oci-config": 4 << 20,
    "compose": 1 << 20,
    "migration": 1 << 20,
    "oci-layer": 2**53 - 1,
}
FREE_KINDS = ("checks", "sbom", "provenance", "signature", "api", "docs", "tool")
ATTESTATION = "application/vnd.in-toto+json"
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*(?:/[A-Za-z0-9_][A-Za-z0-9._+-]*)*")
Read = Callable[[Digest], bytes]


def check_lists(manifest: ReleaseManifest) -> None:
    """Check what the manifest says of itself, before any blob is read.

    Raises `ContentsRefused`: S1-C20 something occurs twice, S1-C21 order, S1-C22 a small blob is
    large, S1-C23 a path, S1-C30 an image, S1-C40 and S1-C41 its names.
    """
    blobs = manifest.blobs
    _check_unique("blob", (blob.digest for blob in blobs))
    _check_unique("path", (blob.path for blob in blobs if blob.path is not None))
    for named in (manifest.images, manifest.settings):
        _check_unique("name", (item.name for item in named))
    _check_unique("name", [*(u.name for u in manifest.units), *(j.name for j in manifest.jobs)])
    _check_unique("database", (schema.database for schema in manifest.schemas))
    is_layer = [blob.kind == "oci-layer" for blob in blobs]
    if is_layer != sorted(is_layer):
        raise _refused("a small blob comes after a layer", "S1-C21")
    for blob in blobs:
        _check_blob(blob)
    for image in manifest.images:
        _check_image(image)
    _check_unique("tag", (f"{i.repository}:{tag}" for i in manifest.images for tag in i.tags))


def _check_unique(what: str, texts: Iterable[str]) -> None:
    seen: set[str] = set()
    for text in texts:
        if text in seen:
            raise _refused(f"the {what} `{text}` occurs twice", "S1-C20")
        seen.add(text)


def _check_blob(blob: Blob) -> None:
    limit = LIMITS.get(blob.kind, SMALL_LIMIT)
    if blob.size > limit:
        raise _refused(
            f"`{blob.digest}` ({blob.kind}) has {blob.size} bytes; {limit} are allowed", "S1-C22"
        )
    if blob.path is not None and not (len(blob.path) < 256 and _PATH.fullmatch(blob.path)):
        raise _refused(f"`{blob.path}` is not a path inside the release", "S1-C23")


def _check_image(image: Image) -> None:
    check_repository(image.repository)
    for tag in image.tags:
        check_tag(tag)
    if not image.platforms or not image.tags:
        raise _refused(f"image `{image.name}` has no platform or no tag", "S1-C30")


def check_closure(manifest: ReleaseManifest, read: Read) -> None:
    """Walk all that the release needs, and compare with its blobs; `read` gives small ones.

    Raises `ContentsRefused`: S1-C24 a blob is missing, S1-C25 a descriptor's size, S1-C26 a blob
    of another kind, S1-C27 a blob that nothing uses, S1-C28 a unit or job of something else, S1-C29
    config and layers, S1-C42 to S1-C47 manifests.
    """
    listed = {blob.digest: blob for blob in manifest.blobs}
    used = {_find(listed, manifest.compose, "compose")}
    for schema in manifest.schemas:
        used |= {_find(listed, revision.digest, "migration") for revision in schema.revisions}
    for image in manifest.images:
        used |= set(_walk(image, listed, read))
    for blob in manifest.blobs:
        if blob.digest not in used and (blob.kind not in FREE_KINDS or blob.path is None):
            raise _refused(f"nothing uses `{blob.digest}` ({blob.kind})", "S1-C27")
    _check_units(manifest)


def _walk(image: Image, listed: dict[Digest, Blob], read: Read) -> Iterator[Digest]:
    """Yield the blobs of an image, from its manifest or index down."""
    yield _find(listed, image.digest, "oci-manifest")
    ahead: list[tuple[Digest, str]] = [(image.digest, image.media_type)]
    seen = set(ahead)
    while ahead:
        digest, media_type = ahead.pop()
        node = parse_manifest(read(digest), media_type)
        for descriptor, kinds in _needs(node):
            yield _find(listed, descriptor.digest, *kinds, size=descriptor.size)
        if isinstance(node, Manifest):
            _check_config(node, read(node.config.digest))
            continue
        children = {(child.digest, child.media_type) for child in node.manifests} - seen
        seen |= children
        ahead += sorted(children)


def _needs(node: Manifest | Index) -> Iterator[tuple[Descriptor, tuple[str, ...]]]:
    if isinstance(node, Index):
        yield from ((child, ("oci-manifest",)) for child in node.manifests)
        return
    yield node.config, ("oci-config",)
    # the empty document `{}` can be config and layer in one
    yield from ((layer, ("oci-layer", "oci-config")) for layer in node.layers)


def _find(
    listed: dict[Digest, Blob], digest: Digest, *kinds: str, size: int | None = None
) -> Digest:
    blob = listed.get(digest)
    if blob is None:
        raise _refused(f"`{digest}` ({kinds[0]}) is missing", "S1-C24")
    if size is not None and size != blob.size:
        raise _refused(
            f"`{digest}` has {blob.size} bytes; an image says that it has {size}", "S1-C25"
        )
    if blob.kind not in kinds:
        raise _refused(f"`{digest}` is a blob of kind {blob.kind}, not {kinds[0]}", "S1-C26")
    return digest


def _check_config(manifest: Manifest, raw: bytes) -> None:
    """Compare how many layers config and manifest know; engines refuse the image otherwise."""
    if any(layer.media_type == ATTESTATION for layer in manifest.layers):
        return
    try:
        config: Any = json.loads(raw)
        found = config["rootfs"]["diff_ids"]
    except (ValueError, KeyError, TypeError, RecursionError):
        found = None
    if not isinstance(found, list) or len(found) != len(manifest.layers):
        raise _refused(
            f"the config `{manifest.config.digest}` does not list the layers of its image",
            "S1-C29",
        )


def _check_units(manifest: ReleaseManifest) -> None:
    images = {image.name for image in manifest.images}
    settings = {setting.name for setting in manifest.settings}
    units = {unit.name for unit in manifest.units}
    for unit in manifest.units:
        lacking = {*unit.images} - images | {*unit.settings} - settings | {*unit.needs} - units
        if lacking or unit.source != manifest.compose:
            raise _lacking("unit", unit.name, lacking)
    for job in manifest.jobs:
        lacking = {job.image} - images | {*job.settings} - settings
        if lacking or job.source != manifest.compose:
            raise _lacking("job", job.name, lacking)


def _lacking(kind: str, name: str, lacking: set[str]) -> ContentsRefused:
    what = ", ".join(sorted(lacking)) or "another Compose file"
    return _refused(f"{kind} `{name}` needs `{what}`, which is not in the release", "S1-C28")


def _refused(message: str, code: str) -> ContentsRefused:
    return ContentsRefused(
        message.encode("unicode_escape").decode("ascii")[:400],
        code=code,
        hint="do not proceed; tell the vendor this code and the name of the bundle",
    )
