from pathlib import Path

from tests.support.attacks import Suspect, member, spoil


def make(folder: Path) -> Suspect:
    at = member(3).offset
    return spoil(folder, lambda raw: raw.__setitem__(at, raw[at] ^ 1))
