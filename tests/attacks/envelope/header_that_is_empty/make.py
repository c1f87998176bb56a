from pathlib import Path

from s1ctl.bundle.archive import BLOCK
from tests.support.attacks import Suspect, member, spoil


def make(folder: Path) -> Suspect:
    return spoil(folder, lambda raw: raw[:BLOCK] + b" " * (64 << 10) + raw[member(0).end :])
