from pathlib import Path

from s1ctl.bundle.archive import BLOCK
from tests.support.attacks import Suspect, member, spoil


def make(folder: Path) -> Suspect:
    def change(raw):
        first, last = member(-2), member(-1)
        raw[last.offset - BLOCK : last.end] = raw[first.offset - BLOCK : first.end]

    return spoil(folder, change)
