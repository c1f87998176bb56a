from pathlib import Path

from tests.support.attacks import Suspect, document, written


def make(folder: Path) -> Suspect:
    return written(folder, b'{"format":1,' + document()[1:])
