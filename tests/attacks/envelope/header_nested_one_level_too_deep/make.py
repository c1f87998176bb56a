from pathlib import Path

from tests.support.attacks import Suspect, written


def make(folder: Path) -> Suspect:
    return written(folder, b'{"format":' + b"[" * 64 + b"]" * 64 + b"}")
