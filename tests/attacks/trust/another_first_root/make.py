from pathlib import Path

import msgspec

from s1ctl.trust.root import sign_root
from tests.support.attacks import VENDOR, Suspect, with_roots


def make(folder: Path) -> Suspect:
    other = msgspec.structs.replace(VENDOR.document, note="fork")
    return with_roots(folder, sign_root(other, VENDOR.root_keys))
