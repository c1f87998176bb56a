"""Small real bundles in pure Python: keys, roots, images with layers of random bytes."""

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from s1ctl.bundle.archive import write_archive
from s1ctl.oci.digest import Digest
from s1ctl.release.manifest import (
    Access,
    Blob,
    Health,
    Image,
    ReleaseManifest,
    Requires,
    Revision,
    Schema,
    Setting,
    Unit,
    UpgradeRules,
)
from s1ctl.release.verified import STATEMENT_TYPE, Header, header_json, statement_json
from s1ctl.trust.envelope import Envelope, sign
from s1ctl.trust.keys import PrivateKey
from s1ctl.trust.root import Root, Trust, chain_json, first_root, make_root, sign_root

PRODUCT, CHANNEL = "acme", "stable"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """A vendor's keys and first root, and what a site that trusts it holds."""

    root_keys: tuple[PrivateKey, ...]
    release_keys: tuple[PrivateKey, ...]
    document: Root
    root: Envelope
    trust: Trust

    @property
    def root_json(self) -> bytes:
        return chain_json((self.root,))


@dataclass(kw_only=True)
class Parts:
    """A release that can still be spoiled: its manifest, and its blobs by digest."""

    manifest: ReleaseManifest
    blobs: dict[Digest, bytes]

    def change(self, **fields: object) -> "Parts":
        return Parts(
            manifest=msgspec.structs.replace(self.manifest, **fields), blobs=dict(self.blobs)
        )


@dataclass
class Shelf:
    """Blobs as they are collected, each kind in its place."""

    blobs: dict[Digest, bytes] = field(default_factory=dict)
    listed: dict[Digest, Blob] = field(default_factory=dict)

    def put(self, kind: str, raw: bytes, path: str | None = None) -> Digest:
        digest = Digest.of(raw)
        self.blobs[digest] = raw
        self.listed[digest] = Blob(digest=digest, size=len(raw), kind=kind, path=path)
        return digest

    def in_order(self) -> tuple[Blob, ...]:
        return tuple(sorted(self.listed.values(), key=lambda blob: blob.kind == "oci-layer"))


def make_vendor(
    *,
    roots: int = 1,
    releases: int = 1,
    thresholds: tuple[int, int] = (1, 1),
    product: str = PRODUCT,
    channel: str = CHANNEL,
    **fields: object,
) -> Vendor:
    """Make keys and a first root; `fields` replace those of its document."""
    root_keys = tuple(PrivateKey.new() for _ in range(roots))
    release_keys = tuple(PrivateKey.new() for _ in range(releases))
    document = make_root(
        product=product,
        root_keys=[key.public for key in root_keys],
        release_keys=[key.public for key in release_keys],
        thresholds=thresholds,
        owner="the vendor's safe",
    )
    document = msgspec.structs.replace(document, **fields)
    root = sign_root(document, root_keys)
    fingerprint = hashlib.sha256(root.payload).hexdigest()
    trusted = first_root(chain_json((root,)), fingerprint)
    return Vendor(
        root_keys=root_keys,
        release_keys=release_keys,
        document=document,
        root=root,
        trust=Trust(product=product, channel=channel, root=trusted),
    )


def make_parts(
    *,
    version: str = "1.0.0",
    sequence: int = 100,
    images: Sequence[str] = ("console", "gateway"),
    layer_bytes: int = 100_000,
    is_multi_platform: bool = False,
    platform: str = "linux/amd64",
    port: int = 8080,
    product: str = PRODUCT,
    channel: str = CHANNEL,
) -> Parts:
    """Make a release: images that share their base layer, a Compose file, two migrations."""
    shelf = Shelf()
    made = tuple(
        put_image(
            shelf,
            name,
            version=version,
            layer_bytes=layer_bytes,
            is_multi_platform=is_multi_platform,
            platform=platform,
        )
        for name in images
    )
    compose = shelf.put("compose", compose_yaml(images, port), "compose.yaml")
    revisions = tuple(
        put_revision(shelf, name, parent) for name, parent in (("0001", None), ("0002", "0001"))
    )
    manifest = ReleaseManifest(
        schema=1,
        product=product,
        channel=channel,
        version=Version(version),
        sequence=sequence,
        issued="2026-01-01T00:00:00Z",
        requires=Requires(),
        blobs=shelf.in_order(),
        images=made,
        compose=compose,
        units=tuple(make_unit(name, compose, port) for name in images),
        settings=(Setting(name="console_password", kind="secret", generate=32),),
        schemas=(
            Schema(
                database="console",
                engine="postgresql",
                access=Access(dbname="console", user="console", password="console_password"),
                revisions=revisions,
            ),
        ),
        upgrade=UpgradeRules(sources=SpecifierSet("<" + version)),
    )
    return Parts(manifest=manifest, blobs=shelf.blobs)


def put_revision(shelf: Shelf, name: str, parent: str | None, *, more: str = "") -> Revision:
    """Put a migration on the shelf."""
    path = f"migrations/console/{name}.py"
    return Revision(
        id=name,
        phase="expand",
        release=Version("1.0.0"),
        digest=shelf.put("migration", migration_py(name, parent) + more.encode(), path),
    )


def migration_py(name: str, parent: str | None) -> bytes:
    """Write a migration that adds nothing."""
    return (
        f'revision = "{name}"\ndown_revision = {parent!r}\nphase = "expand"\n'
        'release = "1.0.0"\n\n\ndef upgrade():\n    pass\n\n\ndef downgrade():\n    pass\n'
    ).encode()


def make_unit(name: str, compose: Digest, port: int = 8080) -> Unit:
    return Unit(
        name=name,
        target="docker",
        role="edge" if name == "gateway" else "app",
        source=compose,
        images=(name,),
        health=Health(port=port, ready="/ready"),
    )


def put_image(
    shelf: Shelf,
    name: str,
    *,
    version: str,
    layer_bytes: int,
    is_multi_platform: bool = False,
    platform: str = "linux/amd64",
) -> Image:
    """Put an image's blobs on the shelf."""
    platforms = ("linux/amd64", "linux/arm64") if is_multi_platform else (platform,)
    manifests = [
        (
            platform,
            put_manifest(shelf, (f"{name}{version}{platform}", "base"), layer_bytes, platform),
        )
        for platform in platforms
    ]
    digest, media_type = manifests[0][1], MANIFEST
    if is_multi_platform:
        digest, media_type = shelf.put("oci-manifest", index_bytes(shelf, manifests)), INDEX
    return Image(
        name=name,
        digest=digest,
        media_type=media_type,
        platforms=platforms,
        repository=f"{PRODUCT}/{name}",
        tags=(version,),
    )


def put_manifest(shelf: Shelf, seeds: Sequence[str], layer_bytes: int, platform: str) -> Digest:
    """Put a manifest with its config and one layer for each seed."""
    layers = [shelf.put("oci-layer", random.Random(seed).randbytes(layer_bytes)) for seed in seeds]
    os, architecture = platform.split("/")
    config = shelf.put(
        "oci-config",
        to_json(
            {
                "os": os,
                "architecture": architecture,
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": list(layers)},
            }
        ),
    )
    return shelf.put(
        "oci-manifest",
        to_json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": descriptor(shelf, config, CONFIG),
                "layers": [descriptor(shelf, layer, LAYER) for layer in layers],
            }
        ),
    )


def index_bytes(shelf: Shelf, manifests: Sequence[tuple[str, Digest]]) -> bytes:
    listed = [
        descriptor(shelf, digest, MANIFEST)
        | {"platform": dict(zip(("os", "architecture"), platform.split("/"), strict=True))}
        for platform, digest in manifests
    ]
    return to_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed})


def descriptor(shelf: Shelf, digest: Digest, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest, "size": len(shelf.blobs[digest])}


def compose_yaml(names: Sequence[str], port: int = 8080) -> bytes:
    services = "".join(
        f"  {name}:\n    image: {name}\n"
        f"    x-s1ctl: {{role: {'edge' if name == 'gateway' else 'app'}, "
        f"health: {{port: {port}, ready: /ready}}}}\n"
        for name in names
    )
    return f"services:\n{services}".encode()


def to_json(data: object) -> bytes:
    return json.dumps(data).encode()


def make_header(parts: Parts, vendor: Vendor, keys: Sequence[PrivateKey] | None = None) -> Header:
    """Sign the release, by the vendor's first release key if no `keys` are given."""
    keys = vendor.release_keys[:1] if keys is None else keys
    return Header(
        roots=(vendor.root,), release=sign(STATEMENT_TYPE, statement_json(parts.manifest), keys)
    )


def write_bundle(
    path: Path,
    parts: Parts,
    vendor: Vendor,
    *,
    keys: Sequence[PrivateKey] | None = None,
    header: Header | None = None,
) -> Path:
    """Write the bundle of `parts`, signed as in `make_header`."""
    header = header or make_header(parts, vendor, keys)
    write_archive(
        path,
        header=header_json(header),
        manifest=parts.manifest,
        open_blob=lambda digest: [parts.blobs[digest]],
    )
    return path
