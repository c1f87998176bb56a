from pathlib import Path

from tests.support.attacks import Suspect, signed


def make(folder: Path) -> Suspect:
    return signed(folder, b"\x1b[31mnot json")
