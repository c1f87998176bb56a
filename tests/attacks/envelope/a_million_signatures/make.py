from pathlib import Path

from tests.support.attacks import Suspect, document, written


def make(folder: Path) -> Suspect:
    return written(folder, document(signatures=[0] * 1_000_000))
