from pathlib import Path

from s1ctl.bundle.archive import BLOCK, HEADER_NAME, member_header
from tests.support.attacks import Suspect, member, spoil


def make(folder: Path) -> Suspect:
    return spoil(
        folder,
        lambda raw: (
            member_header(HEADER_NAME, 128 << 10)
            + bytes(raw[BLOCK : member(0).end])
            + b" " * (64 << 10)
            + bytes(raw[member(0).end :])
        ),
    )
