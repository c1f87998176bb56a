from pathlib import Path

from tests.support.attacks import Suspect, header_field, member, spoil


def make(folder: Path) -> Suspect:
    return spoil(folder, header_field(-1, 124, b"%011o\0" % (member(-1).size + 1)))
