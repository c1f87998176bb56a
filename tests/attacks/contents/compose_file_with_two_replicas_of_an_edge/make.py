from pathlib import Path

from tests.support.attacks import Suspect, compose, good


def make(folder: Path) -> Suspect:
    parts = compose("    image: gateway\n", "    image: gateway\n    deploy: {replicas: 2}\n")
    return Suspect(good(folder, parts))
