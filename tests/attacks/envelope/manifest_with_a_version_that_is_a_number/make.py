from pathlib import Path

from tests.support.attacks import Suspect, with_statement


def make(folder: Path) -> Suspect:
    return with_statement(folder, lambda data: data["predicate"].update(version=1))
