from pathlib import Path

from tests.support.attacks import Suspect, compose, good


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, compose("image: console", "image: docker.io/console:latest")))
