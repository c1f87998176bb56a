from pathlib import Path

from tests.support.attacks import Suspect, good, with_image


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, with_image(lambda m: m.update(manifests=[]))))
