from pathlib import Path

import msgspec

from s1ctl.trust.root import sign_root
from tests.support.attacks import VENDOR, Suspect, next_root, with_roots


def make(folder: Path) -> Suspect:
    keys = {
        name: msgspec.structs.replace(key, sequences=(1, 99))
        for name, key in VENDOR.document.keys.items()
    }
    second = sign_root(next_root(keys=keys), VENDOR.root_keys)
    return with_roots(folder, VENDOR.root, second)
