import json
from pathlib import Path

from tests.support.attacks import Suspect, header_data, written


def make(folder: Path) -> Suspect:
    data = header_data()
    return written(folder, json.dumps(data, separators=(",", ":")).encode())
