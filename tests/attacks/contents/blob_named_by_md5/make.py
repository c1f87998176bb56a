from pathlib import Path

from tests.support.attacks import Suspect, with_statement


def make(folder: Path) -> Suspect:
    digest = "md5:" + "0" * 32
    return with_statement(folder, lambda data: data["predicate"]["blobs"][0].update(digest=digest))
