from pathlib import Path

from s1ctl.release.verified import statement_json
from tests.support.attacks import PARTS, Suspect, with_envelope, written


def make(folder: Path) -> Suspect:
    payload = statement_json(PARTS.manifest).replace(b'"sequence":100', b'"sequence":101')
    return written(folder, with_envelope(payload=payload))
