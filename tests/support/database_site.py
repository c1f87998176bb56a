"""A site with one small app, whose database is at a server of its own: what a revision meets.

Only the database differs between its releases, so that an upgrade does nothing else.
"""

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

from s1ctl.cli.main import main
from s1ctl.database.snapshot import holding_snapshot
from s1ctl.targets.docker_container import SITE
from s1ctl.targets.docker_engine import connect_engine
from tests.support.cases import Untouched, words_of
from tests.support.images import base_layer, make_image, make_layer, write_layout
from tests.support.postgres import Database, Server
from tests.support.require import ENGINE
from tests.support.schemas import heard

APP = (Path(__file__).parent / "platform" / "app.py").read_bytes()
ROWS = 2000
RECIPE = """\
format: 1
product: ledgerly
channel: stable
version: "{version}"
sequence: {sequence}
images:
  web: {{oci-layout: ../images, name: "web:1", repository: web}}
compose: compose.yaml
settings:
  - {{name: token, kind: secret, generate: 24}}
schemas:
  - database: events
    engine: postgresql
    access: {{dbname: events, user: events, password: token}}
    migrations: migrations
upgrade: {{from: "{sources}"}}
"""
COMPOSE = """\
services:
  web:
    image: web
    command: [python3, /app.py]
    environment: {VERSION: "1"}
    secrets: [token]
    stop_grace_period: 2s
    x-s1ctl: {role: app, health: {port: 8080, ready: /ready}, drain_s: 1}
secrets: {token: {file: ./token}}
"""
SITE_FILE = """\
version: 1
name: {name}
target: {{kind: docker, network: {network}}}
registry: {{url: "{url}/ledgerly"}}
trust: {{product: ledgerly, channel: stable}}
databases: {{events: {{url: "file:{dsn}"}}}}
policy: {{soak_s: 0, ready_timeout_s: 30, max_wait_s: 2}}
state_dir: {state}
"""
_HEAD = """\
from alembic import op
import sqlalchemy as sa
from s1ctl.database import ops
from s1ctl.database.ops import Backfill

revision, down_revision = {id!r}, {previous!r}
phase, release = {phase!r}, {release!r}

"""
_REVISIONS = (
    ("0001", "expand", "1.0.0", """
def upgrade():
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("level", sa.Integer, nullable=False),
    )
    op.execute("CREATE FUNCTION word(int) RETURNS text LANGUAGE sql AS $$ SELECT 'low' $$")

def downgrade():
    op.drop_table("events")
    op.execute("DROP FUNCTION word(int)")
"""),
    ("0002", "expand", "1.1.0", """
def upgrade():
    op.add_column("events", sa.Column("severity", sa.Text))

def downgrade():
    op.drop_column("events", "severity")
"""),
    ("0003", "backfill", "1.1.0", """
backfill = Backfill(
    table="events", key=("id",), set="severity = word(level)", where="severity IS NULL",
    verify="SELECT count(*) FROM events WHERE severity IS NULL",
)
"""),
    ("0004", "expand", "1.1.0", """
transactional = False

def upgrade():
    ops.create_index("events_severity", "events", ["severity"])

def downgrade():
    ops.drop_index("events_severity", "events")
"""),
    ("0005", "contract", "1.1.0", """
def upgrade():
    op.drop_column("events", "level")
"""),
)  # fmt: skip
COUNTS = {"1.0.0": 1, "1.1.0": 5}


def run(*words: object) -> tuple[int, str, str]:
    """Run a command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([str(word) for word in words])
    assert heard(words, out.getvalue()) == ""
    return status, out.getvalue(), err.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """Where a site, its database and its containers are: what a failure may not change.

    `rows` counts them by table, `contents` is their digest; `containers` are ids and states.
    """

    rows: dict[str, int]
    contents: dict[str, object]
    schema: str
    applied: tuple[str, ...]
    version: str | None
    containers: dict[str, tuple[str, str]]


@dataclass(slots=True, kw_only=True)
class DatabaseSite:
    """The site; `data` runs a command line and hands out its exit code and JSON result."""

    name: str
    folder: Path
    file: Path
    state: Path
    database: Database
    said: str = ""

    def data(self, *words: object) -> tuple[int, Any]:
        """Run with JSON for its result; what was said on stderr is kept in `said`."""
        status, out, self.said = run("--site", self.file, *words, "--output", "json")
        return status, json.loads(out)

    def done(self, *words: object) -> Any:
        """Run what has to end well."""
        status, document = self.data(*words)
        assert status == 0, f"{words} ended with {status}: {document}\n{self.said}"
        return document

    def upgrade(self) -> tuple[int, Any]:
        return self.data("upgrade", "--to", "1.1.0", "--yes")

    def point_at(self, dsn: str) -> None:
        """Have the site file name another database."""
        (self.folder / "dsn").write_text(dsn)

    def stand(self) -> Stand:
        """Look at database, ledger and engine; the database as its owner sees it."""
        with holding_snapshot(self.database.dsn()) as snapshot:
            return Stand(
                rows=snapshot.counts,
                contents={name: self._contents(name) for name in sorted(snapshot.counts)},
                schema=str(snapshot.description.fingerprint),
                applied=snapshot.revisions,
                version=self.done("status")["installed"]["version"],
                containers=self.containers(),
            )

    def words(self) -> dict[Untouched, object]:
        """Look at all that the table of cases may say stays as it was."""
        stand = self.stand()
        return {
            **words_of(self.state),
            "database": (stand.rows, stand.contents, stand.schema, stand.applied),
            "containers": stand.containers,
        }

    def containers(self) -> dict[str, tuple[str, str]]:
        """Ask the engine for the site's containers: id and state of each."""
        with contextlib.closing(connect_engine(str(ENGINE))) as engine:
            names = engine.containers({SITE: self.name})
            found = {name: engine.container(name) for name in names}
        return {name: (c["Id"], c["State"]["Status"]) for name, c in found.items() if c}

    def _contents(self, table: str) -> object:
        each = "md5(t::text)"
        return self.database.one(
            f"SELECT md5(string_agg({each}, '' ORDER BY {each})) FROM {table} t"
        )

    def change(self, old: str, new: str) -> None:
        """Change the site file."""
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))


def write_releases(folder: Path) -> dict[str, Path]:
    """Build and sign the bundle of every version; the root lies beside them."""
    layers = [base_layer(), make_layer({"/app.py": APP})]
    write_layout(folder / "images", {"web:1": make_image(layers)})
    key, root = folder / "vendor.key", folder / "root.json"
    words = ("--product", "ledgerly", "--no-password")
    made = _done(run("key", "new", key, "--root", root, *words))
    (folder / "fingerprint").write_text(
        next(line[5:] for line in made.splitlines() if line.startswith("root "))
    )
    return {
        version: _build(folder, version, sequence, key, root)
        for sequence, version in enumerate(COUNTS, start=1)
    }


def _build(folder: Path, version: str, sequence: int, key: Path, root: Path) -> Path:
    home, bundle = folder / version, folder / f"{version}.s1b"
    (home / "migrations").mkdir(parents=True)
    (home / "compose.yaml").write_text(COMPOSE)
    sources = f"<{version}" if sequence > 1 else ""
    recipe = RECIPE.format(version=version, sequence=sequence, sources=sources)
    (home / "recipe.yaml").write_text(recipe)
    previous = None
    for name, phase, release, text in _REVISIONS[: COUNTS[version]]:
        head = _HEAD.format(id=name, previous=previous, phase=phase, release=release)
        (home / "migrations" / f"{name}.py").write_text(head + text)
        previous = name
    _done(run("bundle", "build", home / "recipe.yaml", "-o", bundle, "--key", key, "--root", root))
    return bundle


def make_database_site(
    folder: Path, releases: Path, *, name: str, url: str, database: Database
) -> DatabaseSite:
    """Write the site file, and trust the vendor."""
    network = f"10.214.{crc32(name.encode()) % 256}.0/24"
    file, state = folder / "site.yaml", folder / "state"
    file.write_text(
        SITE_FILE.format(name=name, network=network, url=url, state=state, dsn=folder / "dsn")
    )
    site = DatabaseSite(name=name, folder=folder, file=file, state=state, database=database)
    site.point_at(database.dsn().reveal())
    fingerprint = (releases / "fingerprint").read_text()
    site.done("trust", "init", "--root", releases / "root.json", "--fingerprint", fingerprint)
    return site


@contextlib.contextmanager
def copied(server: Server, template: Database, **options: str) -> Iterator[Database]:
    """Have a copy of a database for a while, with the same owner."""
    copy = server.copy_database(template, **options)
    try:
        yield copy
    finally:
        server.drop_database(copy)


def _done(ended: tuple[int, str, str]) -> str:
    status, out, err = ended
    assert status == 0, f"{status}: {out}{err}"
    return out
