from pathlib import Path

from s1ctl.trust.root import Trust, walk_chain
from tests.support.attacks import VENDOR, Suspect, signed_root, with_roots


def make(folder: Path) -> Suspect:
    """The site has the second root; the bundle brings another of the same number."""
    known = walk_chain(VENDOR.trust.root, [signed_root()])
    trust = Trust(product="acme", channel="stable", root=known)
    return with_roots(folder, VENDOR.root, signed_root(note="fork"), trust=trust)
