from pathlib import Path

from tests.support.attacks import Suspect, with_root_data


def make(folder: Path) -> Suspect:
    def change(data):
        (name,) = data["roles"]["release"]["keys"]
        data["roles"]["release"]["keys"] = ["0" * 64]
        data["keys"]["0" * 64] = data["keys"].pop(name)

    return with_root_data(folder, change)
