"""A vendor's project on disk: OCI layout, recipe, Compose file, migrations."""

import json
from collections.abc import Mapping
from pathlib import Path

from s1ctl.oci.layout import REF_NAME
from s1ctl.release.manifest import Image
from tests.support.bundles import Shelf, put_image

RECIPE = """\
format: 1
product: acme
channel: stable
version: 1.1.0
sequence: 110
requires: {s1ctl: ">=0.1", engine: ">=20.10.10", postgresql: ">=15"}
images:
  console: {oci-layout: ../images, name: "console:1.1.0", repository: acme/console}
  gateway: {oci-layout: ../images, name: "gateway:1.1.0", repository: acme/gateway}
compose: compose.yaml
settings:
  - {name: public_host, kind: text, default: localhost, note: "what users type"}
  - {name: db_password, kind: secret, generate: 32}
schemas:
  - database: console
    engine: postgresql
    access: {dbname: console, user: console, password: db_password}
    migrations: ../migrations/console
upgrade: {from: ">=1.0,<1.1", known: [{version: 1.0.0, from: ""}]}
"""
COMPOSE = """\
services:
  console:
    image: console
    environment:
      HOST: ${public_host}
      PRICE: $${price}
    secrets: [db_password]
    x-s1ctl: {role: app, health: {port: 8080, ready: /ready}}
  gateway:
    image: gateway
    depends_on: [console]
    x-s1ctl: {role: edge, health: {port: 8080, ready: /ready}}
secrets:
  db_password: {file: ./db_password}
"""
MIGRATIONS = {
    "0001_base.py": """\
from alembic import op
import sqlalchemy as sa

revision, down_revision = "0001", None
phase, release = "expand", "1.0.0"


def upgrade():
    op.create_table("events", sa.Column("id", sa.BigInteger, primary_key=True))


def downgrade():
    op.drop_table("events")
""",
    "0002_severity.py": """\
from s1ctl.database.ops import Backfill

revision, down_revision = "0002", "0001"
phase, release = "backfill", "1.1.0"
backfill = Backfill(
    table="events", key=("id",), set="severity = 'low'", where="severity IS NULL",
    verify="SELECT count(*) FROM events WHERE severity IS NULL",
)
""",
    "0003_later.py": """\
revision, down_revision = "0003", "0002"
phase, release = "contract", "1.2.0"


def upgrade():
    pass
""",
}


def write_project(
    folder: Path,
    *,
    changes: Mapping[str, str] | None = None,
    layer_bytes: int = 20_000,
    is_multi_platform: bool = False,
) -> Path:
    """Write a project that builds, and answer its recipe; `changes` replace text in the recipe."""
    shelf = Shelf()
    images = {
        f"{name}:1.1.0": put_image(
            shelf,
            name,
            version="1.1.0",
            layer_bytes=layer_bytes,
            is_multi_platform=is_multi_platform,
        )
        for name in ("console", "gateway")
    }
    write_layout(folder / "images", shelf, images)
    migrations = folder / "migrations" / "console"
    migrations.mkdir(parents=True)
    for name, text in MIGRATIONS.items():
        (migrations / name).write_text(text)
    recipe = folder / "1.1.0" / "recipe.yaml"
    recipe.parent.mkdir()
    (recipe.parent / "compose.yaml").write_text(COMPOSE)
    recipe.write_text(RECIPE)
    for old, new in (changes or {}).items():
        change(recipe, old, new)
    return recipe


def change(path: Path, old: str, new: str) -> None:
    """Replace text in a file, which must be there."""
    text = path.read_text()
    if old not in text:
        raise ValueError(f"`{old}` is not in {path.name}")
    path.write_text(text.replace(old, new))


def write_layout(folder: Path, shelf: Shelf, images: Mapping[str, Image]) -> None:
    """Write an OCI layout with `images` by their reference names."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for digest, raw in shelf.blobs.items():
        (blobs / digest.hex).write_bytes(raw)
    listed = [
        {
            "mediaType": image.media_type,
            "digest": image.digest,
            "size": len(shelf.blobs[image.digest]),
            "annotations": {REF_NAME: name},
        }
        for name, image in images.items()
    ]
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": listed}))
