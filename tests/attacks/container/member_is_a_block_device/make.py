from pathlib import Path

from tests.support.attacks import Suspect, header_field, spoil


def make(folder: Path) -> Suspect:
    return spoil(folder, header_field(-1, 156, b"4"))
