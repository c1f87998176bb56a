from pathlib import Path

from tests.support.attacks import VENDOR, Suspect, good


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, keys=VENDOR.root_keys))
