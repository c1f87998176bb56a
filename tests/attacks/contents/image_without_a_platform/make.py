from pathlib import Path

from tests.support.attacks import Suspect, good, with_image_field


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, with_image_field(platforms=())))
