from pathlib import Path

from tests.support.attacks import Suspect, added, good


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, added(b"a document", "docs")))
