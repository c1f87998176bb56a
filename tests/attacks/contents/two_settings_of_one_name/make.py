from pathlib import Path

from tests.support.attacks import PARTS, Suspect, good


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, PARTS.change(settings=PARTS.manifest.settings * 2)))
