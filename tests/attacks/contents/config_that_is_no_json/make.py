from pathlib import Path

from tests.support.attacks import Suspect, good, with_config


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, with_config(b"not json")))
