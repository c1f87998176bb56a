from pathlib import Path

from tests.support.attacks import Suspect, with_release_key


def make(folder: Path) -> Suspect:
    return with_release_key(folder, b"-----BEGIN PUBLIC KEY-----")
