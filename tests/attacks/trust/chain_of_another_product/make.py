from pathlib import Path

from tests.support.attacks import STRANGER, Suspect, with_roots


def make(folder: Path) -> Suspect:
    return with_roots(folder, STRANGER.root)
