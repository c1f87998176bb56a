from pathlib import Path

from tests.support.attacks import PARTS, Suspect, good, with_compose


def make(folder: Path) -> Suspect:
    raw = PARTS.blobs[PARTS.manifest.compose].decode()
    raw = raw.replace("    image: console\n", "    image: console\n    depends_on: [tidy]\n")
    raw = raw.replace(
        "services:\n",
        "services:\n  tidy: {image: console, x-s1ctl: {role: job, when: before-roll}}\n",
    )
    return Suspect(good(folder, with_compose(raw.encode())))
