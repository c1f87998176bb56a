from pathlib import Path

from tests.support.attacks import PARTS, UNIT, Suspect, good


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, PARTS.change(units=(UNIT, *PARTS.manifest.units))))
