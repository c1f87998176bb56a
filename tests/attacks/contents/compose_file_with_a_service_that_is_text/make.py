from pathlib import Path

from tests.support.attacks import Suspect, compose, good


def make(folder: Path) -> Suspect:
    parts = compose("  console:\n", "  other: x\n  console:\n")
    return Suspect(good(folder, parts))
