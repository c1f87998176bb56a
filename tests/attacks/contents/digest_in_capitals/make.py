from pathlib import Path

from s1ctl.release.verified import STATEMENT_TYPE, Header, statement_json
from s1ctl.trust.envelope import sign
from tests.support.attacks import PARTS, VENDOR, Suspect, good


def make(folder: Path) -> Suspect:
    text = PARTS.manifest.compose.encode()
    payload = statement_json(PARTS.manifest).replace(text, text[:7] + text[7:].upper())
    envelope = sign(STATEMENT_TYPE, payload, VENDOR.release_keys)
    return Suspect(good(folder, header=Header(roots=(VENDOR.root,), release=envelope)))
