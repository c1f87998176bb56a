from pathlib import Path

from tests.support.attacks import Suspect, good, migration


def make(folder: Path) -> Suspect:
    line = 'revision = "0001"\n'
    return Suspect(good(folder, migration(line, line + 'revision = "0002"\n')))
