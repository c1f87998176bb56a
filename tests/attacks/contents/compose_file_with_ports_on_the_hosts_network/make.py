from pathlib import Path

from tests.support.attacks import Suspect, compose, good


def make(folder: Path) -> Suspect:
    parts = compose(
        "    image: gateway\n",
        "    image: gateway\n    network_mode: host\n    ports: ['8443:8443']\n",
    )
    return Suspect(good(folder, parts))
