from pathlib import Path

import msgspec

from tests.support.attacks import PARTS, Suspect, good


def make(folder: Path) -> Suspect:
    first, second = PARTS.manifest.images
    images = (first, msgspec.structs.replace(second, name=first.name))
    return Suspect(good(folder, PARTS.change(images=images)))
