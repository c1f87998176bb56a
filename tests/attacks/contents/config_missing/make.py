from pathlib import Path

from tests.support.attacks import CONFIG, Suspect, good, without


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, without(CONFIG)))
