from pathlib import Path

from tests.support.attacks import Suspect, good, with_image


def make(folder: Path) -> Suspect:
    digest = "sha256:../../../etc/shadow\x1b[2J"
    return Suspect(good(folder, with_image(lambda m: m["layers"][0].update(digest=digest))))
