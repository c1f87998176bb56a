from pathlib import Path

from tests.support.attacks import IMAGE, PARTS, Suspect, good, with_image_bytes


def make(folder: Path) -> Suspect:
    raw = PARTS.blobs[IMAGE.digest].replace(b'"schemaVersion": 2', b'"schemaVersion": NaN')
    return Suspect(good(folder, with_image_bytes(raw)))
