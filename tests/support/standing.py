"""A site where releases are loaded, one counts as installed, and its database is a real one."""

import json
import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from s1ctl.database.applied import ensure_tables
from s1ctl.ledger.ledger import open_ledger
from s1ctl.oci.digest import Digest
from s1ctl.plan.plan import SecretUse, Settings
from s1ctl.release.manifest import Edge, Requires, UpgradeRules
from s1ctl.shape import changed
from tests.support.bundles import (
    PRODUCT,
    Parts,
    Shelf,
    make_parts,
    make_vendor,
    put_revision,
    write_bundle,
)
from tests.support.checked import CheckedSite
from tests.support.ledgers import NOW
from tests.support.loads import Cargo, LoadSite
from tests.support.postgres import Database
from tests.support.registry import RegistryServer

FIRST, SECOND, THIRD, FAR = "1.0.0", "1.1.0", "2.0.0", "9.0.0"
NO_ENGINE = Path("/nowhere/engine.sock")
TRUTH = """
SELECT (SELECT array_agg(version_num::text) FROM s1ctl.alembic_version),
    (SELECT array_agg(revision ORDER BY number) FROM s1ctl.applied),
    (SELECT array_agg(oid || ':' || relfilenode ORDER BY oid) FROM pg_class WHERE oid > 16384)
"""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A state directory that has loaded every release, and the digests of their revisions."""

    state: Path
    digests: dict[str, Digest]


def load_releases(folder: Path) -> Loaded:
    """Load 1.0.0 with two revisions, 1.1.0 with three, 2.0.0, and 9.0.0, to which nothing leads.

    2.0.0 wants 1.2.0 before it, which is not here, and a PostgreSQL that nobody has.
    """
    vendor = make_vendor()
    (folder / "root.json").write_bytes(vendor.root_json)
    site: LoadSite | None = None
    with RegistryServer(folder / "registry") as server:
        for parts in _releases():
            cargo = Cargo(
                path=write_bundle(folder / f"{parts.manifest.version}.s1b", parts, vendor),
                parts=parts,
                root=folder / "root.json",
                fingerprint=Digest.of(vendor.root.payload).hex,
            )
            site = site or LoadSite(folder / "load", cargo, server.url)
            done = site.load(cargo=cargo)
            assert done.status == 0, done.text
    assert site is not None
    revisions = parts.manifest.schemas[0].revisions
    return Loaded(state=site.state, digests={one.id: one.digest for one in revisions})


def _releases() -> tuple[Parts, ...]:
    def rules(sources: str) -> UpgradeRules:
        return UpgradeRules(sources=SpecifierSet(sources), known=known)

    known = (
        Edge(version=Version(FIRST), sources=SpecifierSet("")),
        Edge(version=Version(SECOND), sources=SpecifierSet(">=1.0,<1.1")),
        Edge(version=Version("1.2.0"), sources=SpecifierSet(">=1.0,<1.2"), bytes=4_000_000),
        Edge(version=Version(THIRD), sources=SpecifierSet(">=1.2,<2")),
    )
    third = _grown(make_parts(version=THIRD, sequence=3, layer_bytes=1000))
    far = _grown(make_parts(version=FAR, sequence=4, layer_bytes=1000))
    return (
        make_parts(version=FIRST, sequence=1, layer_bytes=1000),
        _grown(make_parts(version=SECOND, sequence=2, layer_bytes=1000)),
        third.change(requires=Requires(postgresql=SpecifierSet(">=99")), upgrade=rules(">=1.2,<2")),
        far.change(upgrade=rules(">=8")),
    )


def _grown(parts: Parts) -> Parts:
    """Add a third revision."""
    shelf = Shelf(blobs=dict(parts.blobs), listed={b.digest: b for b in parts.manifest.blobs})
    revision = put_revision(shelf, "0003", "0002")
    schema = parts.manifest.schemas[0]
    schemas = (changed(schema, revisions=(*schema.revisions, revision)),)
    made = parts.change(schemas=schemas, blobs=shelf.in_order())
    return Parts(manifest=made.manifest, blobs=shelf.blobs)


class StandingSite(CheckedSite):
    """A site with 1.0.0 recorded as installed, and no engine; the database is given by its URL."""

    def __init__(self, folder: Path, loaded: Loaded, database: Database) -> None:
        folder.mkdir()
        self.database = database
        self.url = folder / "url"
        self.url.write_text(database.dsn().reveal())
        super().__init__(
            folder,
            socket=NO_ENGINE,
            registry=json.dumps({"url": "http://127.0.0.1:1/site"}),
            product=PRODUCT,
            more=f"databases: {{console: {{url: 'file:{self.url}'}}}}\n",
        )
        shutil.copytree(loaded.state, self.state)
        with open_ledger(self.state) as ledger:
            ledger.releases.record_installed(
                digest=ledger.releases.loaded()[0].digest,
                version=Version(FIRST),
                instances=(),
                settings=Settings(
                    values={},
                    secrets={"console_password": SecretUse(version=1, fingerprint="ab" * 32)},
                ),
                point=None,
                at=NOW,
            )


def stand_at(database: Database, revisions: dict[str, str], *, head: str | None = None) -> None:
    """Let a database say that it has these revisions, by digest, in this order."""
    with closing(database.connect(autocommit=True)) as connection:
        ensure_tables(connection)
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE IF NOT EXISTS events (id int)")
        cursor.execute("TRUNCATE s1ctl.applied, s1ctl.alembic_version")
        for revision, digest in revisions.items():
            cursor.execute(
                "INSERT INTO s1ctl.applied (revision, release, digest, operation, plan, fence)"
                " VALUES (%s, '1.0.0', %s, 'op-1', '', 1)",
                (revision, str(digest)),
            )
        heads = [head] if head else list(revisions)[-1:]
        for name in heads:
            cursor.execute("INSERT INTO s1ctl.alembic_version VALUES (%s)", (name,))


def truth_of(database: Database) -> object:
    """Take down what a database says of itself, and every relation with the file it lies in."""
    return database.execute(TRUTH, admin=True)


def relations_of(database: Database) -> object:
    """Take down every relation of a database with the file it lies in."""
    relations = "SELECT oid, relname, relfilenode FROM pg_class WHERE oid > 16384 ORDER BY oid"
    return database.execute(relations, admin=True)
