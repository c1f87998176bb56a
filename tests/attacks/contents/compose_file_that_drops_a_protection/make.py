from pathlib import Path

from tests.support.attacks import Suspect, compose, good


def make(folder: Path) -> Suspect:
    parts = compose(
        "    image: console\n", "    image: console\n    security_opt: [seccomp=unconfined]\n"
    )
    return Suspect(good(folder, parts))
