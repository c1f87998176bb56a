from pathlib import Path

import msgspec

from tests.support.attacks import PARTS, UNIT, Suspect, good


def make(folder: Path) -> Suspect:
    units = (msgspec.structs.replace(UNIT, images=("other",)),)
    return Suspect(good(folder, PARTS.change(units=units)))
