from pathlib import Path

from s1ctl.trust.root import Trust, chain_json, first_root, sign_root
from tests.support.attacks import VENDOR, Suspect, signed_root, with_roots


def make(folder: Path) -> Suspect:
    """The site began with the second root, and has no first one to compare with."""
    second = signed_root()
    begun = first_root(chain_json([second]), None)
    trust = Trust(product="acme", channel="stable", root=begun)
    return with_roots(folder, sign_root(VENDOR.document, []), second, trust=trust)
