"""Image manifests and indexes, of OCI and of Docker's schema 2, parsed strictly."""

import json
from collections.abc import Iterable
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec
from msgspec import Meta

from s1ctl.errors import ContentsRefused
from s1ctl.oci.digest import Digest
from s1ctl.shape import ShapeError, parse_value

MAX_BYTES = 4 << 20
MAX_DESCRIPTORS = 4096
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFEST_TYPES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_INDEX})
CONFIG_TYPES = frozenset(
    {
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    }
)
LAYER_TYPES = frozenset(
    {
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
        "application/vnd.in-toto+json",  # builders put attestations beside the platforms
    }
)
Size = Annotated[int, Meta(ge=0, le=2**53 - 1)]


# These documents may carry keys that we do not know (image-spec, "Extensibility"), so they are
# not `Value`s.
class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """What an image runs on; prints as `linux/arm64` or `linux/arm/v7`."""

    os: str
    architecture: str
    variant: str | None = None

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A blob or manifest by digest, with its size in bytes (image-spec, descriptor.md)."""

    media_type: str
    digest: Digest
    size: Size
    platform: Platform | None = None
    annotations: dict[str, str] = {}
    urls: tuple[str, ...] | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The manifest of an image for one platform."""

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]

    @property
    def descriptors(self) -> tuple[Descriptor, ...]:
        """Everything that the image needs: its config, then its layers."""
        return (self.config, *self.layers)


class Index(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An image index (Docker: manifest list): one manifest for each platform."""

    media_type: str
    manifests: tuple[Descriptor, ...]

    @property
    def descriptors(self) -> tuple[Descriptor, ...]:
        """The manifests, and indexes inside this index."""
        return self.manifests


Kind = TypeVar("Kind", Manifest, Index)


def parse_manifest(raw: bytes, media_type: str | None) -> Manifest | Index:
    """Parse a manifest or index of at most 4 MiB; `media_type` is what its descriptor says of it.

    Raises `ContentsRefused`: S1-C42 not JSON or too large, S1-C43 wrong shape, S1-C44 media type
    unknown or contradictory, S1-C45 contents to be had elsewhere, S1-C46 manifest and index in
    one, S1-C47 too many descriptors.
    """
    data = _parse_json(raw)
    _check_one_kind(data)
    data["mediaType"] = _media_type(data, media_type)
    if data["mediaType"] in INDEX_TYPES:
        index = _convert(data, Index)
        _check(index.manifests, MANIFEST_TYPES | INDEX_TYPES)
        return index
    manifest = _convert(data, Manifest)
    _check((manifest.config,), CONFIG_TYPES)
    _check(manifest.layers, LAYER_TYPES)
    return manifest


def _parse_json(raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_BYTES:
        _refuse(f"a manifest has {len(raw)} bytes; {MAX_BYTES} are allowed", "S1-C42")
    try:
        data = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        _refuse(f"a manifest is not JSON: {_escaped(str(error))}", "S1-C42")
    if not isinstance(data, dict):
        _refuse("a manifest is not a JSON object", "S1-C43")
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return data


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _check_one_kind(data: dict[str, Any]) -> None:
    """Refuse what one reader would take for a manifest and another for an index."""
    version = data.get("schemaVersion")
    if type(version) is not int or version != 2:
        _refuse(f"a manifest has schema version {_shown(version)}; 2 is known", "S1-C43")
    if "manifests" in data and ("layers" in data or "config" in data):
        _refuse("a document is an image manifest and an index in one", "S1-C46")


def _media_type(data: dict[str, Any], said: str | None) -> str:
    """Find the media type; OCI documents may leave it out, Docker's may not."""
    implied = OCI_INDEX if "manifests" in data else OCI_MANIFEST
    found = data.get("mediaType", said if said in (OCI_INDEX, OCI_MANIFEST) else implied)
    if said is not None and found != said:
        _refuse(f"a manifest is {_shown(found)} but is said to be {_shown(said)}", "S1-C44")
    if not isinstance(found, str) or found not in MANIFEST_TYPES | INDEX_TYPES:
        _refuse(f"{_shown(found)} is not a known kind of manifest", "S1-C44")
    return found


def _convert(data: dict[str, Any], kind: type[Kind]) -> Kind:
    listed = data.get("manifests" if kind is Index else "layers")
    if isinstance(listed, list) and len(listed) > MAX_DESCRIPTORS:
        _refuse(
            f"a manifest lists {len(listed)} descriptors; {MAX_DESCRIPTORS} are allowed", "S1-C47"
        )
    try:
        return parse_value(data, kind)
    except ShapeError as error:
        what = _escaped(error.message[:1].lower() + error.message[1:])
        _refuse(f"a manifest is malformed at {_shown(error.path)}: {what}", "S1-C43")


def _check(descriptors: Iterable[Descriptor], media_types: frozenset[str]) -> None:
    for descriptor in descriptors:
        if descriptor.urls:
            _refuse(f"the contents of `{descriptor.digest}` are to be had elsewhere", "S1-C45")
        if descriptor.media_type not in media_types:
            shown = _shown(descriptor.media_type)
            _refuse(f"`{descriptor.digest}` has the media type {shown}", "S1-C44")


def _shown(value: object) -> str:
    return f"`{_escaped(str(value))}`"


def _escaped(text: str) -> str:
    return text[:120].encode("unicode_escape").decode("ascii")


def _refuse(message: str, code: str) -> NoReturn:
    raise ContentsRefused(
        message, code=code, hint="run `s1ctl bundle verify FILE`, and tell the vendor its output"
    )
