from pathlib import Path

from tests.support.attacks import VENDOR, Suspect, signed_root, with_roots


def make(folder: Path) -> Suspect:
    return with_roots(folder, VENDOR.root, signed_root(product="other"))
