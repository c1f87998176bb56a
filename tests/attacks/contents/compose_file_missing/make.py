from pathlib import Path

from tests.support.attacks import PARTS, Suspect, good, without


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, without(PARTS.manifest.compose)))
