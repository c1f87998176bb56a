from pathlib import Path

from tests.support.attacks import Suspect, compose, good


def make(folder: Path) -> Suspect:
    parts = compose("{role: app, health: {port: 8080, ready: /ready}}", "{role: app}")
    return Suspect(good(folder, parts))
