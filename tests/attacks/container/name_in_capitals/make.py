from pathlib import Path

from tests.support.attacks import Suspect, header_field, spoil


def make(folder: Path) -> Suspect:
    """Where case is folded it would lie over another member."""
    return spoil(folder, header_field(-1, 0, b"BLOBS"))
