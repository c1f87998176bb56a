from pathlib import Path

from tests.support.attacks import Suspect, member, spoil


def make(folder: Path) -> Suspect:
    def change(raw):
        part = member(2)
        index = bytes(raw[part.offset : part.offset + part.size])
        raw[part.offset : part.offset + part.size] = index.replace(b"console:", b"consols:")

    return spoil(folder, change)
