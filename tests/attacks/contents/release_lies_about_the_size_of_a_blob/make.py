from pathlib import Path

from tests.support.attacks import PARTS, Suspect, with_statement


def make(folder: Path) -> Suspect:
    size = PARTS.manifest.blobs[0].size - 1
    return with_statement(folder, lambda data: data["predicate"]["blobs"][0].update(size=size))
