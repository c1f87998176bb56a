from pathlib import Path

from tests.support.attacks import PARTS, Suspect, good, with_compose


def make(folder: Path) -> Suspect:
    raw = PARTS.blobs[PARTS.manifest.compose].decode()
    raw = raw.replace("    image: console\n", "    image: console\n    depends_on: [gateway]\n")
    raw = raw.replace("    image: gateway\n", "    image: gateway\n    depends_on: [console]\n")
    return Suspect(good(folder, with_compose(raw.encode())))
