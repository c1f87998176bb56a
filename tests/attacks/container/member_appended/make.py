from pathlib import Path

from s1ctl.bundle.archive import member_header
from tests.support.attacks import Suspect, spoil


def make(folder: Path) -> Suspect:
    extra = member_header("extra", 0)
    return spoil(folder, lambda raw: raw[:-1024] + extra + bytes(1024))
