from pathlib import Path

from tests.support.attacks import Suspect, spoil


def make(folder: Path) -> Suspect:
    """Its first bytes are enough: nothing is unpacked to find out."""
    return spoil(folder, lambda raw: b"\x28\xb5\x2f\xfd" + bytes(raw))
