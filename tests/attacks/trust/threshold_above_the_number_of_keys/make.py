from pathlib import Path

from tests.support.attacks import Suspect, with_root_data


def make(folder: Path) -> Suspect:
    return with_root_data(folder, lambda data: data["roles"]["release"].update(threshold=2))
