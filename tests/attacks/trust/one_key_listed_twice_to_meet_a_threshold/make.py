from pathlib import Path

from tests.support.attacks import Suspect, with_root_data


def make(folder: Path) -> Suspect:
    def change(data):
        role = data["roles"]["release"]
        role.update(threshold=2, keys=role["keys"] * 2)

    return with_root_data(folder, change)
