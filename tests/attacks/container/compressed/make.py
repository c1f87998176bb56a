import gzip
from pathlib import Path

from tests.support.attacks import Suspect, spoil


def make(folder: Path) -> Suspect:
    return spoil(folder, lambda raw: gzip.compress(bytes(raw)))
