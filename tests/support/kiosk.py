"""`kiosk`, the smallest platform with all that an operation can be interrupted in, and its site.

One app, and one edge in the host's network; with a database, given by its URL, an additive
change and a backfill come with 1.1.0. Releases named in `BAD` fail, each in its way.
"""

import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from s1ctl.ledger.ledger import open_ledger
from s1ctl.targets.docker_container import OPERATION, SITE
from s1ctl.targets.docker_engine import Engine, connect_engine
from s1ctl.targets.health import ask
from tests.support.engine import remove_site
from tests.support.forked import At, Ended, Forked, start
from tests.support.images import base_layer, make_image, make_layer, write_layout
from tests.support.postgres import Database, Server
from tests.support.registry import RegistryServer, free_port
from tests.support.require import ENGINE, need
from tests.support.shop import APP, COMPOSE
from tests.support.subnets import take_subnet

FIRST, SECOND = "1.0.0", "1.1.0"
ENDS, HUNGRY, UNLOADED = "1.2.0", "1.3.0", "1.9.0"
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
SITE_FILE = """\
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
SLOW = """
    CREATE FUNCTION slow(int) RETURNS text LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(0.001); RETURN $1::text; END $$
"""
COPY = "CREATE DATABASE {new} TEMPLATE {old} OWNER {owner}"
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

    def start(self, *words: object, at: Sequence[At] = ()) -> Forked:
        """Begin a command line; `at` says when what happens to its process."""
        return start(
            ("--site", self.file, *words), folder=self.folder, environment=self.environment, at=at
        )

    def run(self, *words: object, at: Sequence[At] = ()) -> Ended:
        return self.start(*words, at=at).wait()

    def ask(self, path: str = "/") -> str:
        """Ask the platform through its edge."""
        return ask("127.0.0.1", self.port, path, timeout_s=5).text

    def __call__(self, *words: object, expected: int = 0) -> str:
        ended = self.run(*words)
        assert ended.status == expected, f"{words} ended so:\n{ended}"
        return ended.out

    def data(self, *words: object, expected: int = 0, at: Sequence[At] = ()) -> Any:
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
    text = SITE_FILE.format(
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


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A kiosk whose first release is installed, with all that is beside it."""

    site: KioskSite
    kiosk: Kiosk
    engine: Engine
    registry: RegistryServer
    database: Database | None = None
    server: Server | None = None
    kept: str = ""

    def containers(self) -> dict[str, Any]:
        """Say of each container of the site what it is and how it is wanted."""
        names = self.engine.containers({SITE: self.site.name})
        found = {name: self.engine.container(name) for name in names}
        return {name: _described(one) for name, one in found.items() if one is not None}

    def running(self) -> dict[str, Any]:
        """The same, of those that run."""
        return {n: one for n, one in self.containers().items() if one["state"] == "running"}

    def stand(self) -> dict[str, Any]:
        """Take down all that a user of the platform, or the next operation, could tell apart."""
        with open_ledger(self.site.state) as ledger:
            installed = ledger.releases.installed()
        assert installed is not None
        edge = self.site.state / "edge"
        return {
            "running": self.running(),
            "traffic": {path.name: path.read_text() for path in sorted(edge.iterdir())},
            "installed": (installed.digest, installed.instances, installed.settings),
            "answers": (self.site.ask(), self.site.ask("/edge/version")),
        }

    def rows(self) -> Any:
        """Read the database: what is applied, the columns, the rows."""
        assert self.database is not None
        columns = "SELECT column_name FROM information_schema.columns WHERE table_name = 'events'"
        return {
            "applied": self.database.execute("SELECT revision FROM s1ctl.applied ORDER BY 1"),
            "columns": sorted(self.database.execute(columns)),
            "rows": self.database.execute("SELECT * FROM events ORDER BY id"),
        }

    def forget_image(self, version: str) -> None:
        """Have the image of a release's own not in the engine, so that it is pulled.

        What a rollback has kept of it, stopped, goes too.
        """
        plan = self.site.data("upgrade", "--to", version, "--dry-run")["plan"]
        pull = next(step for step in plan["stage"] if step["kind"] == "pull-images")
        reference = next(name for name in pull["references"] if "/web@" in name)
        for name in self.engine.containers({SITE: self.site.name}):
            found = self.engine.container(name) or {"Config": {}, "State": {}}
            is_kept = not found["State"].get("Running", True)
            if is_kept and found["Config"].get("Image") == reference:
                self.engine.remove(name)
        self.engine.remove_image(reference)

    @contextmanager
    def beside(self, folder: Path) -> Iterator[KioskSite]:
        """Make another site, with a database of its own, at which nothing is installed yet."""
        assert self.server is not None
        folder.mkdir(exist_ok=True)
        name, database = f"t{uuid.uuid4().hex[:8]}", self.server.make_database()
        try:
            database.execute(SLOW)
            yield make_kiosk_site(
                folder,
                self.kiosk,
                name=name,
                url=self.registry.url,
                network=take_subnet(name),
                socket=str(ENGINE),
                database=database.dsn().reveal(),
            )
        finally:
            remove_site(self.engine, name)
            self.server.drop_database(database)

    def put_back(self) -> None:
        """Have everything as after the installation, whatever happened; quick where nothing did."""
        with open_ledger(self.site.state) as ledger:
            unfinished = ledger.operations.unfinished()
        if unfinished is not None:
            self.site("rollback", "--yes")
        with open_ledger(self.site.state) as ledger:
            installed = ledger.releases.installed()
        if installed is None or str(installed.version) != FIRST:
            self.site("rollback", "--yes")
        if self.server is not None and self.database is not None:
            self.server.drop_database(self.database)
            self.server.execute(
                COPY.format(new=self.database.name, old=self.kept, owner=self.database.user)
            )


@contextmanager
def opened_kiosk(
    folder: Path,
    *,
    versions: tuple[str, ...],
    server: Server | None = None,
    socket: str = str(ENGINE),
) -> Iterator[Opened]:
    """Install the first of these versions and load the others; removed at the end."""
    need("docker")
    need("registry")
    kiosk = write_kiosk(folder / "vendor", has_database=server is not None, versions=versions)
    name = f"t{uuid.uuid4().hex[:8]}"
    with (
        RegistryServer(folder / "registry") as registry,
        closing(connect_engine(socket)) as engine,
    ):
        database = server.make_database() if server else None
        kept = f"{database.name}_kept" if database else ""
        site = make_kiosk_site(
            folder,
            kiosk,
            name=name,
            url=registry.url,
            network=take_subnet(name),
            socket=socket,
            database=database.dsn().reveal() if database else "",
        )
        try:
            site("load", *(bundle for v, bundle in kiosk.bundles.items() if v != UNLOADED))
            site("install", "--bundle", kiosk.bundles[FIRST], "--yes")
            if server and database:
                database.execute(SLOW)
                database.execute("INSERT INTO events (level) SELECT generate_series(1, 50)")
                server.execute(COPY.format(new=kept, old=database.name, owner=database.user))
            yield Opened(
                site=site, kiosk=kiosk, engine=engine, registry=registry,
                database=database, server=server, kept=kept,
            )  # fmt: skip
        finally:
            remove_site(engine, name)


@pytest.fixture(scope="session")
def filled_kiosk(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: Server
) -> Iterator[Opened]:
    """Yield the one kiosk with a database that all tests of interruptions share."""
    folder = tmp_path_factory.mktemp("kiosk")
    versions = (FIRST, SECOND, ENDS, HUNGRY, UNLOADED)
    with opened_kiosk(folder, versions=versions, server=postgres_server) as opened:
        yield opened


def _described(found: Mapping[str, Any]) -> dict[str, Any]:
    labels = {k: v for k, v in found["Config"]["Labels"].items() if k != OPERATION}
    networks = found["NetworkSettings"]["Networks"]
    return {
        "state": found["State"]["Status"],
        "image": found["Config"]["Image"],
        "restart": found["HostConfig"]["RestartPolicy"]["Name"],
        "labels": labels,
        "networks": {name: one.get("IPAMConfig") for name, one in networks.items()},
    }
