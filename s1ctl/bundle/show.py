"""What a bundle says of itself, as plain data for `bundle show` and `bundle ls`."""

from collections import Counter
from pathlib import Path
from typing import Any

from s1ctl.bundle.reader import UnverifiedHeader, read_header_unverified
from s1ctl.release.manifest import ReleaseManifest
from s1ctl.release.verified import verify_header
from s1ctl.trust.root import Trust


def show_bundle(path: Path, trust: Trust | None) -> dict[str, Any]:
    """Describe the bundle at `path` from its header alone.

    Without `trust` nothing is verified: `verified` is false and `signers` empty. With it, raises
    like `verify_header`. The bytes behind the header are not looked at: `bundle verify` does that.
    """
    found = read_header_unverified(path)
    signers = verify_header(found.document, trust)[2] if trust else ()
    manifest = found.manifest
    return {
        "verified": trust is not None,
        **_identity(found, manifest),
        "signers": list(signers),
        **_parts(manifest),
    }


def list_blobs(path: Path, trust: Trust | None) -> dict[str, Any]:
    """List the blobs of the bundle at `path` in their order. Raises like `show_bundle`."""
    found = read_header_unverified(path)
    if trust:
        verify_header(found.document, trust)
    manifest = found.manifest
    blobs = [
        {"digest": blob.digest, "kind": blob.kind, "path": blob.path, "size": blob.size}
        for blob in manifest.blobs
    ]
    return {"verified": trust is not None, **_identity(found, manifest), "blobs": blobs}


def _identity(found: UnverifiedHeader, manifest: ReleaseManifest) -> dict[str, Any]:
    return {
        "product": manifest.product,
        "channel": manifest.channel,
        "version": str(manifest.version),
        "sequence": manifest.sequence,
        "issued": manifest.issued,
        "release": found.header.identity,
        "signatures": len(found.header.release.signatures),
        "roots": len(found.header.roots),
        "bytes": found.size,
    }


def _parts(manifest: ReleaseManifest) -> dict[str, Any]:
    counts, sizes = Counter[str](), Counter[str]()
    for blob in manifest.blobs:
        counts[blob.kind] += 1
        sizes[blob.kind] += blob.size
    return {
        "upgrade": {"from": str(manifest.upgrade.sources), "stop": manifest.upgrade.stop},
        "images": [
            {
                "name": image.name,
                "digest": image.digest,
                "platforms": list(image.platforms),
                "repository": image.repository,
                "tags": list(image.tags),
            }
            for image in manifest.images
        ],
        "units": [
            {"name": unit.name, "role": unit.role, "replicas": unit.replicas}
            for unit in manifest.units
        ],
        "schemas": [
            {
                "database": schema.database,
                "engine": schema.engine,
                "revisions": [f"{revision.id} ({revision.phase})" for revision in schema.revisions],
            }
            for schema in manifest.schemas
        ],
        "blobs": {kind: {"count": counts[kind], "bytes": sizes[kind]} for kind in sorted(counts)},
    }
