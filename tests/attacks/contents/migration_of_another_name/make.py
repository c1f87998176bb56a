from pathlib import Path

from tests.support.attacks import Suspect, good, migration


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, migration('revision = "0002"', 'revision = "0003"', 1)))
