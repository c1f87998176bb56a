from pathlib import Path

import msgspec

from s1ctl.oci.digest import Digest
from tests.support.attacks import PARTS, UNIT, Suspect, good


def make(folder: Path) -> Suspect:
    units = (msgspec.structs.replace(UNIT, source=Digest.of(b"other")),)
    return Suspect(good(folder, PARTS.change(units=units)))
