from pathlib import Path

from tests.support.attacks import Suspect


def make(folder: Path) -> Suspect:
    (folder / "folder.bundle").mkdir()
    return Suspect(folder / "folder.bundle")
