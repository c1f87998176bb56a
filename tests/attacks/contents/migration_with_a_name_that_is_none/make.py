from pathlib import Path

from tests.support.attacks import PARTS, Suspect, change_blob, good


def make(folder: Path) -> Suspect:
    (schema,) = PARTS.manifest.schemas
    parts = change_blob(schema.revisions[0].digest, path="migrations/console/0001.sh")
    return Suspect(good(folder, parts))
