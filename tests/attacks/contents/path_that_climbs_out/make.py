from pathlib import Path

from tests.support.attacks import PARTS, Suspect, change_blob, good


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, change_blob(PARTS.manifest.compose, path="a/../../etc/x")))
