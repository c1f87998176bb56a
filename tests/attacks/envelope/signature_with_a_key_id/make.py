from pathlib import Path

from tests.support.attacks import Suspect, document, written


def make(folder: Path) -> Suspect:
    return written(folder, document(signatures=[{"sig": "", "keyid": "x"}]))
