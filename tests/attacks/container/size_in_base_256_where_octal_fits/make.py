from pathlib import Path

from tests.support.attacks import Suspect, header_field, member, spoil


def make(folder: Path) -> Suspect:
    size = member(-1).size
    return spoil(folder, header_field(-1, 124, b"\x80" + size.to_bytes(11, "big")))
