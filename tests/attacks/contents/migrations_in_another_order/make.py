from pathlib import Path

import msgspec

from tests.support.attacks import PARTS, Suspect, good


def make(folder: Path) -> Suspect:
    (schema,) = PARTS.manifest.schemas
    changed = msgspec.structs.replace(schema, revisions=schema.revisions[::-1])
    return Suspect(good(folder, PARTS.change(schemas=(changed,))))
