from pathlib import Path

from tests.support.attacks import PARTS, Suspect, good


def make(folder: Path) -> Suspect:
    schemas = PARTS.manifest.schemas
    return Suspect(good(folder, PARTS.change(schemas=(*schemas, *schemas))))
