from pathlib import Path

from tests.support.attacks import Suspect, good, with_image


def make(folder: Path) -> Suspect:
    digest = "md5:" + "0" * 32
    return Suspect(good(folder, with_image(lambda m: m["layers"][0].update(digest=digest))))
