from pathlib import Path

from s1ctl.trust.envelope import envelope_document
from tests.support.attacks import PARTS, VENDOR, Suspect, document, written
from tests.support.bundles import make_header


def make(folder: Path) -> Suspect:
    text = envelope_document(make_header(PARTS, VENDOR).release)["payload"]
    return written(folder, document(payload=text + "\n"))
