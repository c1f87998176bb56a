from pathlib import Path

from tests.support.attacks import LAYER, Suspect, good, with_image


def make(folder: Path) -> Suspect:
    digest = "sha256:" + LAYER.hex.upper()
    return Suspect(good(folder, with_image(lambda m: m["layers"][0].update(digest=digest))))
