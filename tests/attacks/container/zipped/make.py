from pathlib import Path

from tests.support.attacks import Suspect, spoil


def make(folder: Path) -> Suspect:
    return spoil(folder, lambda raw: b"PK\x03\x04" + bytes(raw))
