from pathlib import Path

from tests.support.attacks import Suspect, compose, good


def make(folder: Path) -> Suspect:
    parts = compose("{role: edge, ", "{role: edge, replace: rolling, ")
    return Suspect(good(folder, parts))
