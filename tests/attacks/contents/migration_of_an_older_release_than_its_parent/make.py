from pathlib import Path

from packaging.version import Version

from tests.support.attacks import PARTS, Suspect, good, with_migration


def make(folder: Path) -> Suspect:
    raw = PARTS.blobs[PARTS.manifest.schemas[0].revisions[1].digest]
    older = raw.replace(b'release = "1.0.0"', b'release = "0.9.0"')
    return Suspect(good(folder, with_migration(older, 1, release=Version("0.9.0"))))
