from pathlib import Path

from s1ctl.release.verified import Header
from s1ctl.trust.envelope import sign
from s1ctl.trust.root import ROOT_TYPE
from tests.support.attacks import VENDOR, Suspect, written


def make(folder: Path) -> Suspect:
    envelope = sign(ROOT_TYPE, VENDOR.root.payload, VENDOR.release_keys)
    return written(folder, Header(roots=(VENDOR.root,), release=envelope))
