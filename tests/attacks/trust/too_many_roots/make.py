from pathlib import Path

from tests.support.attacks import VENDOR, Suspect, with_roots


def make(folder: Path) -> Suspect:
    return with_roots(folder, *[VENDOR.root] * 1025)
