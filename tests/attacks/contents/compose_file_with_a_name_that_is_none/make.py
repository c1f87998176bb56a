from pathlib import Path

from tests.support.attacks import Suspect, compose, good


def make(folder: Path) -> Suspect:
    parts = compose("services:\n", "volumes: {Data: }\nservices:\n")
    return Suspect(good(folder, parts))
