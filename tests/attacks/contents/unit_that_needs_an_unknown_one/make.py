from pathlib import Path

from tests.support.attacks import Suspect, good, with_unit


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, with_unit(needs=("other",))))
