from pathlib import Path

from tests.support.attacks import Suspect, member, spoil


def make(folder: Path) -> Suspect:
    at = member(0).end - 2
    return spoil(folder, lambda raw: raw.__setitem__(slice(at, at + 2), b"{}"))
