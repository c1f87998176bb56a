from pathlib import Path

from tests.support.attacks import PARTS, VENDOR, Suspect, written
from tests.support.bundles import make_header


def make(folder: Path) -> Suspect:
    return written(folder, make_header(PARTS, VENDOR, []))
