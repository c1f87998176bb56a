from pathlib import Path

from tests.support.attacks import Suspect, compose, good


def make(folder: Path) -> Suspect:
    more = "services:\n  other: {image: console, x-s1ctl: {role: job, when: before-roll}}\n"
    return Suspect(good(folder, compose("services:\n", more)))
