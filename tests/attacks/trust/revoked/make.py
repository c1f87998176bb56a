from pathlib import Path

from s1ctl.trust.root import sign_root
from tests.support.attacks import PARTS, VENDOR, Suspect, next_root, with_roots
from tests.support.bundles import make_header


def make(folder: Path) -> Suspect:
    identity = make_header(PARTS, VENDOR).identity
    second = sign_root(next_root(revoked=(identity.hex,)), VENDOR.root_keys)
    return with_roots(folder, VENDOR.root, second)
