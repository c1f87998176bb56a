from pathlib import Path

from tests.support.attacks import LAYER, Suspect, good, without


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, without(LAYER)))
