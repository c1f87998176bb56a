from pathlib import Path

from tests.support.attacks import Suspect, header_field, spoil


def make(folder: Path) -> Suspect:
    return spoil(folder, header_field(0, 124, b"\x80" + (2**64).to_bytes(11, "big")))
