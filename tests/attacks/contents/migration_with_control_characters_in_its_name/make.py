from pathlib import Path

from tests.support.attacks import Suspect, good, migration


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, migration('revision = "0001"', 'revision = "\\x1b[2J"')))
