"""An image as it goes into a bundle: its whole graph, complete and fit for the sites' engines."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from s1ctl.bundle.sources import Source
from s1ctl.errors import ContentsRefused
from s1ctl.oci.digest import Digest
from s1ctl.oci.manifest import Descriptor, Index, Manifest, parse_manifest

ZSTD_ENGINE = Version("23")
MAX_MANIFESTS = 256
UNKNOWN = "unknown/unknown"  # what builders write for the platform of an attestation
ATTESTATION = "application/vnd.in-toto+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageContents:
    """An image's small blobs by digest, and its layers; `source` streams these."""

    name: str
    root: Descriptor
    manifests: dict[Digest, bytes]
    configs: dict[Digest, bytes]
    layers: tuple[Descriptor, ...]
    platforms: tuple[str, ...]
    source: Source


def read_image(name: str, source: Source, engines: SpecifierSet) -> ImageContents:
    """Read the small blobs of an image, and prove that nothing of it is missing.

    Raises `ContentsRefused`: S1-C67 zstd layers that an engine in `engines` cannot unpack, S1-C70
    sizes, platforms or layers that contradict each other.
    """
    root = source.resolve()
    manifests: dict[Digest, bytes] = {}
    configs: dict[Digest, bytes] = {}
    layers: dict[Digest, Descriptor] = {}
    platforms: list[str] = []
    for descriptor, document in _walk(name, source, root, manifests):
        if isinstance(document, Index):
            continue
        configs[document.config.digest] = _read(name, source, document.config, is_manifest=False)
        platforms.append(_platform(name, document, descriptor, configs[document.config.digest]))
        layers |= {layer.digest: layer for layer in document.layers}
    for layer in layers.values():
        _check_layer(name, source, layer, engines)
    usable = tuple(sorted(set(platforms) - {UNKNOWN}))
    if not usable:
        raise _refuse(name, "has no platform", "S1-C70")
    return ImageContents(
        name=name,
        root=root,
        manifests=manifests,
        configs=configs,
        layers=tuple(layers.values()),
        platforms=usable,
        source=source,
    )


def _walk(
    name: str, source: Source, root: Descriptor, manifests: dict[Digest, bytes]
) -> Iterator[tuple[Descriptor, Manifest | Index]]:
    """Yield every manifest and index of the image once, parents first; fill in their bytes."""
    waiting = [root]
    while waiting:
        descriptor = waiting.pop(0)
        if descriptor.digest in manifests:
            continue
        if len(manifests) == MAX_MANIFESTS:
            raise _refuse(name, f"has more than {MAX_MANIFESTS} manifests", "S1-C70")
        raw = _read(name, source, descriptor, is_manifest=True)
        manifests[descriptor.digest] = raw
        document = _parse(name, raw, descriptor)
        yield descriptor, document
        if isinstance(document, Index):
            waiting += document.manifests


def _parse(name: str, raw: bytes, descriptor: Descriptor) -> Manifest | Index:
    try:
        return parse_manifest(raw, descriptor.media_type)
    except ContentsRefused as error:
        raise _refuse(name, f"is refused: {error.message}", error.code) from None


def _read(name: str, source: Source, descriptor: Descriptor, *, is_manifest: bool) -> bytes:
    raw = source.read(descriptor, is_manifest=is_manifest)
    _check_size(name, descriptor, len(raw))
    return raw


def _check_size(name: str, descriptor: Descriptor, size: int) -> None:
    if size != descriptor.size:
        raise _refuse(
            name,
            f"says that `{descriptor.digest}` has {descriptor.size} bytes, but it has {size}",
            "S1-C70",
        )


def _platform(name: str, manifest: Manifest, descriptor: Descriptor, config: bytes) -> str:
    """Say the platform, as the index has it or else the config; an attestation has none."""
    if any(layer.media_type == ATTESTATION for layer in manifest.layers):
        return UNKNOWN
    try:
        says = json.loads(config)
        found = "/".join(
            str(says[key]) for key in ("os", "architecture", "variant") if says.get(key)
        )
        diff_ids = says["rootfs"]["diff_ids"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _refuse(
            name, f"has a config `{manifest.config.digest}` that is not an image's", "S1-C70"
        ) from None
    if not isinstance(diff_ids, list) or len(diff_ids) != len(manifest.layers):
        raise _refuse(name, "lists other layers in its config than in its manifest", "S1-C70")
    return str(descriptor.platform) if descriptor.platform else found


def _check_layer(name: str, source: Source, layer: Descriptor, engines: SpecifierSet) -> None:
    _check_size(name, layer, source.size(layer))
    if layer.media_type.endswith("zstd") and admits_below(engines, ZSTD_ENGINE):
        raise ContentsRefused(
            f"image `{name}` has the zstd layer `{layer.digest}`, but `requires.engine` is "
            f"`{engines}`, and engines below {ZSTD_ENGINE} cannot unpack it",
            code="S1-C67",
            hint=f'compress its layers with gzip, or write `engine: ">={ZSTD_ENGINE}"`',
        )


def admits_below(versions: SpecifierSet, bound: Version) -> bool:
    """Say whether some version below `bound` satisfies `versions`.

    Tried are versions next to each one that a specifier names, and the lowest and highest.
    """
    candidates = {Version("0"), Version(f"{bound.major - 1}.999999")}
    for specifier in versions:
        try:
            named = Version(specifier.version.removesuffix(".*"))
        except InvalidVersion:
            continue
        candidates |= {named, Version(f"{named.base_version}.1")}
    return any(candidate < bound and candidate in versions for candidate in candidates)


def _refuse(name: str, message: str, code: str) -> ContentsRefused:
    return ContentsRefused(
        f"image `{name}` {message}", code=code, hint="build or copy the image again"
    )
