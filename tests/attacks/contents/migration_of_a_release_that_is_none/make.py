from pathlib import Path

from tests.support.attacks import Suspect, good, migration


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, migration('release = "1.0.0"', 'release = "new"')))
