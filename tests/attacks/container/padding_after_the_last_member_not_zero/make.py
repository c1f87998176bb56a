from pathlib import Path

from tests.support.attacks import Suspect, member, spoil


def make(folder: Path) -> Suspect:
    at = member(-1).end - 1
    return spoil(folder, lambda raw: raw.__setitem__(at, 1))
