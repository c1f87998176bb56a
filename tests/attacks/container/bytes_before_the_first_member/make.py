from pathlib import Path

from s1ctl.bundle.archive import BLOCK
from tests.support.attacks import Suspect, spoil


def make(folder: Path) -> Suspect:
    return spoil(folder, lambda raw: bytes(BLOCK) + bytes(raw))
