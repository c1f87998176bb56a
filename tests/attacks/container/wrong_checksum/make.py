from pathlib import Path

from s1ctl.bundle.archive import BLOCK
from tests.support.attacks import Suspect, member, spoil


def make(folder: Path) -> Suspect:
    at = member(-1).offset - BLOCK + 150
    return spoil(folder, lambda raw: raw.__setitem__(at, raw[at] ^ 1))
