from pathlib import Path

from tests.support.attacks import Suspect, good, migration


def make(folder: Path) -> Suspect:
    parts = migration("down_revision = '0001'", "down_revision = ('0001', '0000')", 1)
    return Suspect(good(folder, parts))
