from pathlib import Path

from tests.support.attacks import Suspect, good
from tests.support.bundles import make_parts


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, make_parts(channel="beta", layer_bytes=10)))
