from pathlib import Path

from s1ctl.canonical import canonical_json
from tests.support.attacks import Suspect, header_data, written


def make(folder: Path) -> Suspect:
    return written(folder, canonical_json(header_data() | {"roots": ["root"]}))
