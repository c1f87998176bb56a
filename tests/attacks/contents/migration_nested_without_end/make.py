from pathlib import Path

from tests.support.attacks import Suspect, good, with_migration


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, with_migration(b"a = " + b"-" * 100_000 + b"1\n")))
