from pathlib import Path

from tests.support.attacks import PARTS, Suspect, good


def make(folder: Path) -> Suspect:
    blobs = PARTS.manifest.blobs
    return Suspect(good(folder, PARTS.change(blobs=(blobs[0], *blobs))))
