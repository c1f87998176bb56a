from pathlib import Path

from tests.support.attacks import Suspect, compose, good


def make(folder: Path) -> Suspect:
    parts = compose("{role: app, ", "{role: app, upstreams: /run/x, ")
    return Suspect(good(folder, parts))
