from pathlib import Path

from tests.support.attacks import Suspect, compose, good


def make(folder: Path) -> Suspect:
    parts = compose("image: console", "image: !!python/object/apply:os.system [id]")
    return Suspect(good(folder, parts))
