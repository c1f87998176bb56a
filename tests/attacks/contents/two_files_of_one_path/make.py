from pathlib import Path

from tests.support.attacks import PARTS, Suspect, change_blob, good


def make(folder: Path) -> Suspect:
    first, second = (revision.digest for revision in PARTS.manifest.schemas[0].revisions)
    paths = {blob.digest: blob.path for blob in PARTS.manifest.blobs}
    return Suspect(good(folder, change_blob(second, path=paths[first])))
