from pathlib import Path

from tests.support.attacks import Suspect, with_root_data


def make(folder: Path) -> Suspect:
    def change(data):
        for key in data["keys"].values():
            key["spki"] += "\n"

    return with_root_data(folder, change)
