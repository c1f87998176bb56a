from pathlib import Path

from tests.support.attacks import Suspect, good
from tests.support.bundles import make_vendor


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, vendor=make_vendor()))
