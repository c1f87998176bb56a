from pathlib import Path

import msgspec

from tests.support.attacks import VENDOR, Suspect, signed_root, with_roots


def make(folder: Path) -> Suspect:
    keys = {
        name: msgspec.structs.replace(key, sequences=(101, None))
        for name, key in VENDOR.document.keys.items()
    }
    return with_roots(folder, VENDOR.root, signed_root(keys=keys))
