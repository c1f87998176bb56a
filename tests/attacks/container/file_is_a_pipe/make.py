import os
from pathlib import Path

from tests.support.attacks import Suspect


def make(folder: Path) -> Suspect:
    os.mkfifo(folder / "pipe.bundle")
    return Suspect(folder / "pipe.bundle")
