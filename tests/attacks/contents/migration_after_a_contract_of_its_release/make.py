from pathlib import Path

from tests.support.attacks import PARTS, Suspect, good, with_migration


def make(folder: Path) -> Suspect:
    raw = PARTS.blobs[PARTS.manifest.schemas[0].revisions[0].digest]
    contract = raw.replace(b'phase = "expand"', b'phase = "contract"')
    return Suspect(good(folder, with_migration(contract, 0, phase="contract")))
