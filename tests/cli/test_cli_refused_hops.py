"""Releases that a site does not go to: lower ones, two of one version, a changed migration."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest

from s1ctl.database.layout import lay_out
from s1ctl.database.runner import Order, apply_revision
from s1ctl.database.snapshot import holding_snapshot
from s1ctl.ledger.ledger import open_ledger
from s1ctl.ledger.store import ReleaseStore
from s1ctl.oci.digest import Digest
from s1ctl.plan.plan import SecretUse, Settings
from s1ctl.progress import silent
from tests.support.bundles import Parts, Vendor, make_parts, make_vendor, migration_py, write_bundle
from tests.support.cases import CASES, Case
from tests.support.ledgers import NOW
from tests.support.loads import Cargo, LoadSite, Said, s1ctl
from tests.support.operators import ENGINE
from tests.support.postgres import Database
from tests.support.preflight import PretendedEngine
from tests.support.registry import RegistryServer
from tests.support.require import need

FIRST = make_parts(version="1.0.0", sequence=100, layer_bytes=1000)
SECOND = make_parts(version="1.1.0", sequence=101, layer_bytes=1000)
TWIN = make_parts(version="1.1.0", sequence=101, layer_bytes=1001)


def changed_text(parts: Parts) -> Parts:
    """Change the text of the first migration, which is valid as before."""
    (schema,) = parts.manifest.schemas
    first, second = schema.revisions
    raw = migration_py("0001", None) + b"\n# mended\n"
    blobs = tuple(
        msgspec.structs.replace(blob, digest=Digest.of(raw), size=len(raw))
        if blob.digest == first.digest
        else blob
        for blob in parts.manifest.blobs
    )
    revisions = (msgspec.structs.replace(first, digest=Digest.of(raw)), second)
    made = parts.change(
        blobs=blobs, schemas=(msgspec.structs.replace(schema, revisions=revisions),)
    )
    return replace(made, blobs={**made.blobs, Digest.of(raw): raw})


@dataclass(kw_only=True)
class Place:
    """A site before a real registry, and an engine that answers and does nothing."""

    site: LoadSite
    folder: Path
    vendor: Vendor
    url: str
    engine: PretendedEngine

    def bundle(self, parts: Parts, name: str) -> Path:
        return write_bundle(self.folder / name, parts, self.vendor)

    def load(self, parts: Parts, name: str) -> Digest:
        said = s1ctl("--site", self.site.file, "load", self.bundle(parts, name))
        assert said.status == 0, said.text
        return Digest(said.loaded["digest"])

    def install(self, digest: Digest) -> None:
        """Record a loaded release as the installed one."""
        with open_ledger(self.site.state) as ledger:
            (release,) = [one for one in ledger.releases.loaded() if one.digest == digest]
            uses = {"console_password": SecretUse(version=1, fingerprint="ab" * 32)}
            ledger.releases.record_installed(
                digest=digest,
                version=release.version,
                instances=(),
                settings=Settings(values={}, secrets=uses),
                point=None,
                at=NOW,
            )

    def refused(self, case: Case, *words: object) -> Said:
        """Run what must be refused, and see that all that its row says stayed as it was.

        The registry is away for it: a request would be told.
        """
        text = self.site.file.read_text()
        self.site.file.write_text(text.replace(self.url, "http://127.0.0.1:1"))
        before = self.site.stand()
        said = s1ctl("--site", self.site.file, *words)
        assert said.outcome == case.outcome, said.text
        assert self.site.stand() == before
        assert {method for method, _ in self.engine.asked} == {"GET"}
        self.site.file.write_text(text)
        return said


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    need("registry")
    with RegistryServer(tmp_path_factory.mktemp("registry")) as made:
        yield made


@pytest.fixture
def place(server: RegistryServer, tmp_path: Path) -> Iterator[Place]:
    vendor, folder = make_vendor(), tmp_path / "bundles"
    folder.mkdir()
    (folder / "root.json").write_bytes(vendor.root_json)
    cargo = Cargo(
        path=write_bundle(folder / "first.s1b", FIRST, vendor),
        parts=FIRST,
        root=folder / "root.json",
        fingerprint=Digest.of(vendor.root.payload).hex,
    )
    engine = PretendedEngine(ENGINE)
    with (
        tempfile.TemporaryDirectory(prefix="s1-") as short,
        engine.listening(Path(short) / "e.sock") as socket,
    ):
        site = LoadSite(tmp_path / "site", cargo, server.url)
        text = site.file.read_text()
        site.file.write_text(text.replace("{kind: docker,", f"{{kind: docker, socket: {socket},"))
        yield Place(site=site, folder=folder, vendor=vendor, url=server.url, engine=engine)


def test_a_lower_version_is_loaded_and_not_upgraded_to(place: Place) -> None:
    """A path of several hops needs older ones loaded; a hop goes upwards only."""
    place.install(place.load(SECOND, "second.s1b"))
    place.load(FIRST, "older.s1b")
    row = CASES["release-lower-than-installed"]
    said = place.refused(row, "upgrade", "--to", "1.0.0", "--yes")
    assert said.message == "1.0.0 is lower than the installed 1.1.0"
    assert "`s1ctl rollback`" in said.hint
    assert place.refused(row, "upgrade", "--to", "1.0.0", "--dry-run").message == said.message
    assert place.refused(row, "plan", "--to", "1.0.0").message == said.message


def test_a_lower_version_that_is_brought_along_is_not_even_loaded(place: Place) -> None:
    place.install(place.load(SECOND, "second.s1b"))
    row, older = CASES["release-lower-than-installed"], place.bundle(FIRST, "older.s1b")
    place.refused(row, "upgrade", "--to", "1.0.0", "--bundle", older, "--yes")
    assert len(ReleaseStore(place.site.state / "releases").digests()) == 1


def test_another_release_of_the_installed_version_is_refused(place: Place) -> None:
    installed = place.load(SECOND, "second.s1b")
    place.install(installed)
    other = place.load(TWIN, "twin.s1b")
    assert other != installed
    row = CASES["release-of-the-installed-version"]
    said = place.refused(row, "upgrade", "--to", "1.1.0", "--yes")
    assert f"`{installed}` is installed, `{other}` is loaded" in said.message
    assert "1.1.0" in said.message
    assert "ask the vendor which digest is right" in said.hint


def test_two_releases_of_one_version_and_sequence_are_refused(place: Place) -> None:
    place.install(place.load(FIRST, "first.s1b"))
    both = place.load(SECOND, "second.s1b"), place.load(TWIN, "twin.s1b")
    row = CASES["release-with-a-twin"]
    said = place.refused(row, "upgrade", "--to", "1.1.0", "--yes")
    assert all(f"`{digest}`" in said.message for digest in both)
    assert "1.1.0" in said.message


def test_a_release_with_a_twin_is_not_installed_either(place: Place) -> None:
    place.load(SECOND, "second.s1b")
    path = place.bundle(TWIN, "twin.s1b")
    assert s1ctl("--site", place.site.file, "load", path).status == 0
    with place.site.file.open("a") as file:
        file.write('databases: {console: {url: "env:NOWHERE"}}\n')
    said = s1ctl("--site", place.site.file, "install", "--bundle", path, "--yes")
    assert said.outcome == CASES["release-with-a-twin"].outcome, said.text
    assert {method for method, _ in place.engine.asked} == {"GET"}


def test_of_two_releases_of_one_version_the_later_sequence_counts(place: Place) -> None:
    """The vendor signed it anew: that is no equivocation."""
    place.install(place.load(FIRST, "first.s1b"))
    place.load(SECOND, "second.s1b")
    place.load(TWIN.change(sequence=102), "later.s1b")
    said = s1ctl("--site", place.site.file, "upgrade", "--to", "1.1.0", "--dry-run")
    assert said.outcome == (2, "S1-U17")  # no database is named: the path was chosen


@pytest.mark.integration
def test_a_migration_whose_text_changed_after_it_was_applied_is_refused(
    place: Place, postgres: Database, tmp_path: Path
) -> None:
    digest = place.load(FIRST, "first.s1b")
    place.install(digest)
    apply_all(FIRST, postgres, tmp_path / "lineage")
    place.load(changed_text(SECOND), "changed.s1b")
    (tmp_path / "dsn").write_text(postgres.dsn().reveal())
    with place.site.file.open("a") as file:
        file.write(f'databases: {{console: {{url: "file:{tmp_path / "dsn"}"}}}}\n')
    row = CASES["database-migration-changed"]
    first = s1ctl("--site", place.site.file, "upgrade", "--to", "1.1.0", "--yes")
    assert first.outcome == row.outcome, first.text  # makes the secret that it will need
    with holding_snapshot(postgres.dsn()) as before:
        said = place.refused(row, "upgrade", "--to", "1.1.0", "--yes")
    assert "revision `0001` of `console` was applied with the text `sha256:" in said.message
    assert "release 1.1.0 has `sha256:" in said.message
    assert "call the vendor" in said.hint
    with holding_snapshot(postgres.dsn()) as after:
        assert after.description == before.description
        assert after.counts == before.counts
        assert after.revisions == before.revisions == ("0001", "0002")


def apply_all(parts: Parts, postgres: Database, folder: Path) -> None:
    """Apply the migrations of a release as a hop does."""
    folder.mkdir()
    (schema,) = parts.manifest.schemas
    lay_out(Small(parts), schema, folder)
    for revision in schema.revisions:
        order = Order(
            dsn=postgres.dsn(), schema=schema, revision=revision.id, folder=folder,
            operation="op-1", plan="sha256:" + "0" * 64, fence=1,
        )  # fmt: skip
        apply_revision(order, notify=silent, on_wait=lambda _: None)


@dataclass(frozen=True)
class Small:
    """The blobs of a release, as a verified one hands them out."""

    parts: Parts

    def small(self, digest: Digest, /) -> bytes:
        return self.parts.blobs[digest]
