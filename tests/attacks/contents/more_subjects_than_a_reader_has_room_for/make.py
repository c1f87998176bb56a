from pathlib import Path

import msgspec

from tests.support.attacks import IMAGE, PARTS, VENDOR, Suspect, written
from tests.support.bundles import make_header


def make(folder: Path) -> Suspect:
    many = tuple(
        msgspec.structs.replace(IMAGE, name=f"i{n}", repository=f"acme/i{n}") for n in range(1024)
    )
    return written(folder, make_header(PARTS.change(images=many), VENDOR))
