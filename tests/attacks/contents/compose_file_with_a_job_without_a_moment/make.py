from pathlib import Path

from tests.support.attacks import Suspect, compose, good


def make(folder: Path) -> Suspect:
    parts = compose("{role: app, ", "{role: job, ")
    return Suspect(good(folder, parts))
