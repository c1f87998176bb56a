from pathlib import Path

from s1ctl.release.verified import STATEMENT_TYPE, Header, statement_json
from s1ctl.trust.envelope import sign
from tests.support.attacks import PARTS, VENDOR, Suspect, written


def make(folder: Path) -> Suspect:
    payload = statement_json(PARTS.manifest).replace(
        b"s1ctl.dev/release/v1", b"slsa.dev/provenance/v1"
    )
    envelope = sign(STATEMENT_TYPE, payload, VENDOR.release_keys)
    return written(folder, Header(roots=(VENDOR.root,), release=envelope))
