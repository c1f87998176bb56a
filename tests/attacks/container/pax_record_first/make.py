import tarfile
from pathlib import Path

from tests.support.attacks import Suspect, packed


def make(folder: Path) -> Suspect:
    return packed(folder, tarfile.PAX_FORMAT, {"comment": "x"})
