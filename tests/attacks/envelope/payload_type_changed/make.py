from pathlib import Path

from tests.support.attacks import Suspect, with_envelope, written


def make(folder: Path) -> Suspect:
    return written(folder, with_envelope(payload_type="application/vnd.in-toto+json "))
