from pathlib import Path

import msgspec

from tests.support.attacks import PARTS, Suspect, good, without


def make(folder: Path) -> Suspect:
    """The lineage would begin in its middle."""
    (schema,) = PARTS.manifest.schemas
    kept = schema.revisions[1:]
    changed = msgspec.structs.replace(schema, revisions=kept)
    return Suspect(good(folder, without(schema.revisions[0].digest).change(schemas=(changed,))))
