from pathlib import Path

from tests.support.attacks import IMAGE, PARTS, Suspect, good, with_image_bytes


def make(folder: Path) -> Suspect:
    raw = b'{"layers":[],' + PARTS.blobs[IMAGE.digest][1:]
    return Suspect(good(folder, with_image_bytes(raw)))
