from pathlib import Path

from s1ctl.bundle.archive import member_header
from tests.support.attacks import Suspect, member, spoil


def make(folder: Path) -> Suspect:
    at = member(4).end
    return spoil(folder, lambda raw: raw[:at] + member_header("extra", 0) + raw[at:])
