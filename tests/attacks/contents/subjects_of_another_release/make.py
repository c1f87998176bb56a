from pathlib import Path

from s1ctl.release.verified import STATEMENT_TYPE, Header, statement_json
from s1ctl.trust.envelope import sign
from tests.support.attacks import PARTS, VENDOR, Suspect, good


def make(folder: Path) -> Suspect:
    payload = statement_json(PARTS.manifest).replace(
        b'"name":"acme/console"', b'"name":"acme/other"'
    )
    envelope = sign(STATEMENT_TYPE, payload, VENDOR.release_keys)
    return Suspect(good(folder, header=Header(roots=(VENDOR.root,), release=envelope)))
