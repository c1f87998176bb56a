from pathlib import Path

from tests.support.attacks import Suspect, member, spoil


def make(folder: Path) -> Suspect:
    former, first = member(2), member(3)
    return spoil(folder, lambda raw: raw[: former.end] + raw[first.end :])
