from pathlib import Path

from tests.support.attacks import Suspect, compose, good


def make(folder: Path) -> Suspect:
    parts = compose(
        "    image: console\n", "    image: console\n    healthcheck: {test: [curl, localhost]}\n"
    )
    return Suspect(good(folder, parts))
