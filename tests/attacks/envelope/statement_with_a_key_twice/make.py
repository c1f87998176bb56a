from pathlib import Path

from s1ctl.release.verified import statement_json
from tests.support.attacks import PARTS, Suspect, signed


def make(folder: Path) -> Suspect:
    payload = statement_json(PARTS.manifest)
    return signed(folder, b'{"_type":"x",' + payload[1:])
