from pathlib import Path

from tests.support.attacks import Suspect, good, with_migration


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, with_migration(b"#" * ((1 << 20) + 1))))
