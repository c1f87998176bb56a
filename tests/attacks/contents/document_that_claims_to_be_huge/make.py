from pathlib import Path

from tests.support.attacks import LAYER, VENDOR, Suspect, change_blob, written
from tests.support.bundles import make_header


def make(folder: Path) -> Suspect:
    """Refused by its size in the manifest: none of it is read."""
    parts = change_blob(LAYER, kind="docs", path="docs/x", size=1 << 40)
    blobs = sorted(parts.manifest.blobs, key=lambda blob: blob.kind == "oci-layer")
    return written(folder, make_header(parts.change(blobs=tuple(blobs)), VENDOR))
