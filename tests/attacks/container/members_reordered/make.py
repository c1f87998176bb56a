from pathlib import Path

from s1ctl.bundle.archive import BLOCK
from tests.support.attacks import Suspect, member, spoil


def make(folder: Path) -> Suspect:
    def change(raw):
        first, last = member(-2), member(-1)
        one, two = slice(first.offset - BLOCK, first.end), slice(last.offset - BLOCK, last.end)
        raw[one], raw[two] = raw[two], raw[one]

    return spoil(folder, change)
