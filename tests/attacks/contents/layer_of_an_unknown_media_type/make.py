from pathlib import Path

from tests.support.attacks import Suspect, good, with_image


def make(folder: Path) -> Suspect:
    change = with_image(lambda m: m["layers"][0].update(mediaType="application/x-evil"))
    return Suspect(good(folder, change))
