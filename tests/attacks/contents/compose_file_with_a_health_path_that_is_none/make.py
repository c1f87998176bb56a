from pathlib import Path

from tests.support.attacks import Suspect, compose, good


def make(folder: Path) -> Suspect:
    parts = compose("ready: /ready", "ready: ready")
    return Suspect(good(folder, parts))
