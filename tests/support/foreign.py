"""`ledgerly`, a platform in Node.js that knows only the written contract: its recipes.

Beside three good releases there are four that fail, each in another way, all of them one hop
after 2.0.0.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.support.foreign_image import HERE, write_images

NEVER_READY = "2.1.0"
BAD_MIGRATION = "2.1.1"
BAD_EDGE = "2.1.2"
WRONG_VERSION = "2.1.3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """What one release is made of; `app` is the release whose code it has."""

    app: str
    sources: str
    what: str = "good"
    edge: str = "good"
    migrations: str = "migrations"


BROKEN = {
    NEVER_READY: Edition(app="2.0.0", sources=">=2.0,<2.1", what="never-ready"),
    BAD_MIGRATION: Edition(app="2.0.0", sources=">=2.0,<2.1", migrations="migrations-2.1.1"),
    BAD_EDGE: Edition(app="2.0.0", sources=">=2.0,<2.1", edge="bad"),
    WRONG_VERSION: Edition(app="2.0.0", sources=">=2.0,<2.1", what="lies"),
}
EDITIONS = {
    "1.0.0": Edition(app="1.0.0", sources=""),
    "1.1.0": Edition(app="1.1.0", sources=">=1.0,<1.1"),
    "2.0.0": Edition(app="2.0.0", sources=">=1.1,<2.0"),
    **BROKEN,
}


def write_ledgerly(folder: Path) -> dict[str, Path]:
    """Write the vendor's project; answer the recipe of each release."""
    write_images(folder / "images")
    shutil.copytree(HERE / "migrations", folder / "migrations")
    shutil.copytree(HERE / "migrations", folder / "migrations-2.1.1")
    for path in (HERE / "broken").glob("*.py"):
        shutil.copy(path, folder / "migrations-2.1.1")
    return {
        version: _write_release(folder / version, version, sequence)
        for sequence, version in enumerate(EDITIONS, start=1)
    }


def _write_release(folder: Path, version: str, sequence: int) -> Path:
    edition = EDITIONS[version]
    folder.mkdir()
    values = {
        "VERSION": version,
        "SEQUENCE": str(sequence),
        "APP": edition.app,
        "FROM": edition.sources,
        "WHAT": edition.what,
        "MIGRATIONS": f"../{edition.migrations}",
    }
    recipe = folder / "recipe.yaml"
    recipe.write_text(_fill((HERE / "recipe.yaml").read_text(), values))
    (folder / "compose.yaml").write_text(_fill(_compose(edition), values))
    return recipe


def _compose(edition: Edition) -> str:
    """Put job and edge into the Compose file; 1.x has no job."""
    edge = (HERE / "edge.conf").read_text().replace('"VERSION"', '"@VERSION@"')
    if edition.edge == "bad":
        edge = edge.replace("proxy_pass", "proxy_nowhere")
    job = (HERE / "job.yaml").read_text() if edition.app == "2.0.0" else ""
    text = (HERE / "compose.yaml").read_text().replace("@JOB@\n", job)
    return text.replace("@EDGE@\n", "".join(f"      {line}\n" for line in edge.splitlines()))


def _fill(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
