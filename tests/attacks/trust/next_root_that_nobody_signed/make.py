from pathlib import Path

from s1ctl.trust.root import sign_root
from tests.support.attacks import VENDOR, Suspect, next_root, with_roots


def make(folder: Path) -> Suspect:
    return with_roots(folder, VENDOR.root, sign_root(next_root(), []))
