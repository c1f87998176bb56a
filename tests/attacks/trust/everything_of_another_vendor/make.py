from pathlib import Path

from s1ctl.release.verified import Header
from tests.support.attacks import PARTS, Suspect, good
from tests.support.bundles import make_header, make_vendor


def make(folder: Path) -> Suspect:
    """The bundle is sound in itself, but a bundle never vouches for itself."""
    impostor = make_vendor()
    header = make_header(PARTS, impostor)
    return Suspect(good(folder, header=Header(roots=(), release=header.release)))
