from pathlib import Path

from tests.support.attacks import Suspect, written


def make(folder: Path) -> Suspect:
    return written(folder, b'{"format":' + b"[" * 200_000 + b"]" * 200_000 + b"}")
