from pathlib import Path

import msgspec

from s1ctl.release.verified import Header
from s1ctl.trust.root import sign_root
from tests.support.attacks import PAIR, PARTS, Suspect, written
from tests.support.bundles import make_header


def make(folder: Path) -> Suspect:
    late = PAIR.release_keys[1].public.fingerprint
    keys = {
        name: msgspec.structs.replace(key, sequences=(101, None)) if name == late else key
        for name, key in PAIR.document.keys.items()
    }
    root = msgspec.structs.replace(PAIR.document, version=2, keys=keys)
    roots = (PAIR.root, sign_root(root, PAIR.root_keys))
    release = make_header(PARTS, PAIR, PAIR.release_keys).release
    return written(folder, Header(roots=roots, release=release), PAIR.trust)
