from pathlib import Path

from tests.support.attacks import Suspect, good, with_compose


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, with_compose(b"services:\n  ? [console]\n  : {}\n")))
