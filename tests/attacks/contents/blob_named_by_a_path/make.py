from pathlib import Path

from tests.support.attacks import Suspect, with_statement


def make(folder: Path) -> Suspect:
    digest = "sha256:../../../etc/shadow"
    return with_statement(folder, lambda data: data["predicate"]["blobs"][0].update(digest=digest))
