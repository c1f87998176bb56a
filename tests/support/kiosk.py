"""`kiosk`, the smallest platform with all that an operation can be interrupted in, and its site.

One app, and one edge in the host's network; with a database, given by its URL, an additive
change and a backfill come with 1.1.0. Releases named in `BAD` fail, each in its way.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

from tests.support.forked import At, Ended, Forked, start
from tests.support.images import base_layer, make_image, make_layer, write_layout
from tests.support.registry import free_port
from tests.support.shop import APP, COMPOSE

FIRST, SECOND = "1.0.0", "1.1.0"
ENDS, HUNGRY = "1.2.0", "1.3.0"
GOOD = "command: [python3, /app.py]"
BAD: Mapping[str, str] = {
    ENDS: """command: [python3, -c, "import sys; sys.exit('the licence is missing')"]""",
    HUNGRY: "command: [python3, -c, \"x = b'x' * (256 << 20)\"]\n"
    "    deploy: {resources: {limits: {memory: 16m}}}",
}
RECIPE = """\
format: 1
product: kiosk
channel: stable
version: "{version}"
sequence: {sequence}
images:
  web: {{oci-layout: ../images, name: "web:{version}", repository: web}}
  edge: {{oci-layout: ../images, name: "edge:1", repository: edge}}
compose: compose.yaml
settings:
  - {{name: edge_port, kind: port, required: true, note: "where the edge listens"}}
  - {{name: token, kind: secret, generate: 24}}
{schemas}upgrade: {{from: "{sources}"}}
"""
SCHEMAS = """\
  - {name: console_password, kind: secret, generate: 24}
schemas:
  - database: console
    engine: postgresql
    access: {dbname: console, user: console, password: console_password}
    migrations: migrations
"""
SITE = """\
version: 1
name: {name}
target: {{kind: docker, network: {network}, socket: {socket}}}
registry: {{url: "{url}/kiosk"}}
trust: {{product: kiosk, channel: stable}}
values: {{edge_port: {port}}}
allow: {{edge: [host-network]}}
policy: {{soak_s: 0, ready_timeout_s: 20, backup: {{when: contract}}}}
state_dir: {state}
"""
MIGRATIONS = {
    "0001": ("expand", "1.0.0", """
        def upgrade():
            op.create_table(
                "events",
                sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
                sa.Column("level", sa.Integer, nullable=False),
            )

        def downgrade():
            op.drop_table("events")
        """),
    "0002": ("expand", "1.1.0", """
        def upgrade():
            op.execute("SELECT pg_sleep(0.3)")
            op.add_column("events", sa.Column("severity", sa.Text))

        def downgrade():
            op.drop_column("events", "severity")
        """),
    "0003": ("backfill", "1.1.0", """
        backfill = Backfill(
            table="events", key=("id",), set="severity = slow(level)", where="severity IS NULL",
            verify="SELECT count(*) FROM events WHERE severity IS NULL",
        )
        """),
}  # fmt: skip
HEAD = """\
import sqlalchemy as sa
from alembic import op

from s1ctl.database.ops import Backfill

revision, down_revision = {id!r}, {previous!r}
phase, release = {phase!r}, {release!r}
"""


@dataclass(frozen=True, kw_only=True)
class Kiosk:
    """The vendor's bundles by version, and what a site is told to trust."""

    bundles: dict[str, Path]
    root: Path
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class KioskSite:
    """A site with a site file; command lines run as processes of their own."""

    name: str
    folder: Path
    port: int
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return self.folder / "site.yaml"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def start(self, *words: object, at: At | None = None) -> Forked:
        """Begin a command line; `at` says at which event what happens to its process."""
        return start(
            ("--site", self.file, *words), folder=self.folder, environment=self.environment, at=at
        )

    def run(self, *words: object, at: At | None = None) -> Ended:
        return self.start(*words, at=at).wait()

    def __call__(self, *words: object, expected: int = 0) -> str:
        ended = self.run(*words)
        assert ended.status == expected, f"{words} ended so:\n{ended}"
        return ended.out

    def data(self, *words: object, expected: int = 0, at: At | None = None) -> Any:
        """Run a command line with JSON for its result."""
        ended = self.run(*words, "--output", "json", at=at)
        assert ended.status == expected, f"{words} ended so:\n{ended}"
        return json.loads(ended.out)


def write_kiosk(folder: Path, *, has_database: bool, versions: tuple[str, ...]) -> Kiosk:
    """Build the bundles of these versions; each is one hop after the first."""
    folder.mkdir(exist_ok=True)
    base, app = base_layer(), make_layer({"/app.py": APP})
    images = {"edge:1": make_image([base])}
    for version in versions:
        own = make_layer({"/version": version.encode() + os.urandom(8)})
        images[f"web:{version}"] = make_image([base, app, own])
    write_layout(folder / "images", images)
    key, root = folder / "vendor.key", folder / "root.json"
    words = ("key", "new", key, "--root", root, "--product", "kiosk", "--no-password")
    made = start(words, folder=folder).wait()
    fingerprint = next(line[5:] for line in made.out.splitlines() if line.startswith("root "))
    bundles = {}
    for sequence, version in enumerate(versions, start=1):
        recipe = _write_release(folder / version, version, sequence, has_database=has_database)
        bundles[version] = folder / f"kiosk-{version}.s1b"
        words = ("bundle", "build", recipe, "-o", bundles[version], "--key", key, "--root", root)
        ended = start(words, folder=folder).wait()
        assert ended.status == 0, ended
    return Kiosk(bundles=bundles, root=root, fingerprint=fingerprint)


def make_kiosk_site(
    folder: Path,
    kiosk: Kiosk,
    *,
    name: str,
    url: str,
    network: str,
    socket: str = "/run/docker.sock",
    database: str = "",
) -> KioskSite:
    """Write the site file, and trust the vendor; `database` is the URL of the console's."""
    port = free_port()
    site = KioskSite(name=name, folder=folder, port=port, environment={"CONSOLE_URL": database})
    text = SITE.format(
        name=name, network=network, socket=socket, url=url, port=port, state=site.state
    )
    more = 'databases: {console: {url: "env:CONSOLE_URL"}}\n' if database else ""
    site.file.write_text(text + more)
    site("trust", "init", "--root", kiosk.root, "--fingerprint", kiosk.fingerprint)
    return site


def _write_release(folder: Path, version: str, sequence: int, *, has_database: bool) -> Path:
    folder.mkdir()
    text = COMPOSE.format(version=version, what="good").replace("drain_s: 5", "drain_s: 2")
    text = text.replace("image: all", "image: web", 1).replace("image: all", "image: edge")
    text = text.replace(
        "command: [python3, /app.py]", BAD.get(version, "command: [python3, /app.py]")
    )
    (folder / "compose.yaml").write_text(text)
    recipe = RECIPE.format(
        version=version,
        sequence=sequence,
        sources="" if version == FIRST else f">={FIRST},<{version}",
        schemas=SCHEMAS if has_database else "",
    )
    (folder / "recipe.yaml").write_text(recipe)
    if has_database:
        _write_migrations(folder / "migrations", version)
    return folder / "recipe.yaml"


def _write_migrations(folder: Path, version: str) -> None:
    folder.mkdir()
    previous = None
    for name, (phase, release, text) in MIGRATIONS.items():
        if release == FIRST or version == SECOND:
            head = HEAD.format(id=name, previous=previous, phase=phase, release=release)
            (folder / f"{name}.py").write_text(head + dedent(text))
            previous = name
