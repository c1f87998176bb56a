from pathlib import Path

from tests.support.attacks import Suspect, good, with_migration


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, with_migration(b"a = '\0'\n")))
