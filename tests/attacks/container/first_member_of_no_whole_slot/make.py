from pathlib import Path

from s1ctl.bundle.archive import BLOCK, HEADER_NAME, member_header
from tests.support.attacks import Suspect, spoil


def make(folder: Path) -> Suspect:
    return spoil(folder, lambda raw: member_header(HEADER_NAME, 65535) + bytes(raw[BLOCK:]))
