from pathlib import Path

from s1ctl.trust.keys import PrivateKey
from tests.support.attacks import Suspect, good


def make(folder: Path) -> Suspect:
    return Suspect(good(folder, keys=[PrivateKey.new()]))
