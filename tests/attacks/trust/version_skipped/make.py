from pathlib import Path

from s1ctl.trust.root import sign_root
from tests.support.attacks import NEW, VENDOR, Suspect, rotated, with_roots


def make(folder: Path) -> Suspect:
    return with_roots(folder, VENDOR.root, sign_root(rotated(version=3), [*VENDOR.root_keys, NEW]))
