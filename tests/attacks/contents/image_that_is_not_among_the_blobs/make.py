from pathlib import Path

from tests.support.attacks import IMAGE, VENDOR, Suspect, without, written
from tests.support.bundles import make_header


def make(folder: Path) -> Suspect:
    header = make_header(without(IMAGE.digest), VENDOR)
    return written(folder, header)
