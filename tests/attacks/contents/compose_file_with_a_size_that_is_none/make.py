from pathlib import Path

from tests.support.attacks import Suspect, compose, good


def make(folder: Path) -> Suspect:
    parts = compose("    image: console\n", "    image: console\n    shm_size: much\n")
    return Suspect(good(folder, parts))
