from pathlib import Path

from s1ctl.canonical import canonical_json
from s1ctl.shape import plain
from s1ctl.trust.envelope import sign
from s1ctl.trust.root import ROOT_TYPE
from tests.support.attacks import VENDOR, Suspect, next_root, with_roots


def make(folder: Path) -> Suspect:
    payload = canonical_json(plain(next_root())) + b" "
    return with_roots(folder, VENDOR.root, sign(ROOT_TYPE, payload, VENDOR.root_keys))
