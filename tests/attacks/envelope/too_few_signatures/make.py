from pathlib import Path

from tests.support.attacks import PAIR, Suspect, good


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, vendor=PAIR, keys=PAIR.release_keys[:1]), PAIR.trust)
