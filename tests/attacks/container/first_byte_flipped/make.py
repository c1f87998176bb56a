from pathlib import Path

from tests.support.attacks import Suspect, spoil


def make(folder: Path) -> Suspect:
    return spoil(folder, lambda raw: raw.__setitem__(0, raw[0] ^ 1))
