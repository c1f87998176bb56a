from pathlib import Path

from tests.support.attacks import Suspect, member, spoil


def make(folder: Path) -> Suspect:
    return spoil(folder, lambda raw: raw.__setitem__(member(0).end - 1, ord("\n")))
