from pathlib import Path

import msgspec

from tests.support.attacks import LAYER, PARTS, Suspect, good


def make(folder: Path) -> Suspect:
    first, *others = (blob for blob in PARTS.manifest.blobs if blob.digest == LAYER)
    assert not others
    kept = [blob for blob in PARTS.manifest.blobs if blob.digest != LAYER]
    blobs = (msgspec.structs.replace(first, kind="docs", path="docs/x"), *kept)
    return Suspect(good(folder, PARTS.change(blobs=blobs)))
