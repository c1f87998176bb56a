from pathlib import Path

from s1ctl.trust.root import Trust
from tests.support.attacks import VENDOR, Suspect, good


def make(folder: Path) -> Suspect:
    trust = Trust(product="other", channel="stable", root=VENDOR.trust.root)
    return Suspect(good(folder), trust)
