import json
from pathlib import Path

from s1ctl.oci.digest import Digest
from tests.support.attacks import CONFIG, PARTS, Suspect, good, with_blob, with_image


def make(folder: Path) -> Suspect:
    config = json.loads(PARTS.blobs[CONFIG])
    config["rootfs"]["diff_ids"].pop()
    raw = json.dumps(config).encode()
    descriptor = {"digest": Digest.of(raw), "size": len(raw)}
    parts = with_image(lambda m: m["config"].update(descriptor))
    return Suspect(good(folder, with_blob(parts, CONFIG, raw)))
