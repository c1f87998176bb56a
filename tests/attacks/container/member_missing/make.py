from pathlib import Path

from s1ctl.bundle.archive import BLOCK
from tests.support.attacks import Suspect, member, spoil


def make(folder: Path) -> Suspect:
    last = member(-1)
    return spoil(folder, lambda raw: raw[: last.offset - BLOCK] + bytes(1024))
