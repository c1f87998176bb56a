from pathlib import Path

from tests.support.attacks import Suspect, document, written


def make(folder: Path) -> Suspect:
    return written(folder, b"\xef\xbb\xbf" + document())
