from pathlib import Path

from tests.support.attacks import Suspect, good


def make(folder: Path) -> Suspect:
    path = good(folder)
    link = folder / "link.bundle"
    link.symlink_to(path)
    return Suspect(link)
