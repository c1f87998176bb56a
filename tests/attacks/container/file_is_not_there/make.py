from pathlib import Path

from tests.support.attacks import Suspect


def make(folder: Path) -> Suspect:
    return Suspect(folder / "none.bundle")
