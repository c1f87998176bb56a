from pathlib import Path

from s1ctl.release.verified import Header, statement_json
from s1ctl.trust.envelope import sign
from tests.support.attacks import PARTS, VENDOR, Suspect, written


def make(folder: Path) -> Suspect:
    envelope = sign("text/plain", statement_json(PARTS.manifest), VENDOR.release_keys)
    return written(folder, Header(roots=(VENDOR.root,), release=envelope))
