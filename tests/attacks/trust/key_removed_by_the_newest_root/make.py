from pathlib import Path

import msgspec

from s1ctl.trust.root import make_root, sign_root
from tests.support.attacks import NEW, VENDOR, Suspect, with_roots


def make(folder: Path) -> Suspect:
    document = make_root(
        product="acme",
        root_keys=[key.public for key in VENDOR.root_keys],
        release_keys=[NEW.public],
    )
    second = sign_root(msgspec.structs.replace(document, version=2), VENDOR.root_keys)
    return with_roots(folder, VENDOR.root, second)
