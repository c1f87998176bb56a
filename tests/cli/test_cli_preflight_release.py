"""What preflight finds for a release that is loaded, each provoked through the command line."""

import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from s1ctl.ledger.ledger import open_ledger
from s1ctl.oci.digest import Digest
from s1ctl.plan.plan import SecretUse, Settings
from s1ctl.release.manifest import Requires
from tests.support.bundles import PRODUCT, Parts, Vendor, make_parts, make_vendor, write_bundle
from tests.support.cases import CASES
from tests.support.checked import CheckedSite, advice, file_system, seen
from tests.support.ledgers import NOW
from tests.support.loads import PREFIX, Cargo, LoadSite
from tests.support.registry import RegistryServer, free_port
from tests.support.require import need
from tests.support.standing import relations_of

SOCKET = Path("/nowhere/engine.sock")
TIB = 1 << 20  # of MiB


@dataclass(frozen=True, kw_only=True)
class Depot:
    """A registry with two releases, and the state directory that has loaded one or both."""

    server: RegistryServer
    first: Parts
    second: Parts
    one: Path
    both: Path


@pytest.fixture(scope="module")
def depot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Depot]:
    need("registry")
    folder, vendor = tmp_path_factory.mktemp("depot"), make_vendor()
    modest = make_parts(version="1.0.0", sequence=1, port=free_port(), layer_bytes=1000)
    greedy = make_parts(
        version="1.1.0", sequence=2, port=free_port(), layer_bytes=1000, platform="linux/s390x"
    )
    greedy = greedy.change(
        requires=Requires(memory_mib=64 * TIB, disk_mib=64 * TIB, os={"plan9": SpecifierSet(">=4")})
    )
    with RegistryServer(folder / "registry") as server:
        first = cargo(folder / "1.s1b", modest, vendor)
        site = LoadSite(folder / "one", first, server.url)
        assert site.load().status == 0
        shutil.copytree(site.state, folder / "both")
        shutil.move(site.state, folder / "kept")
        shutil.move(folder / "both", site.state)
        assert site.load(cargo=cargo(folder / "2.s1b", greedy, vendor)).status == 0
        yield Depot(
            server=server, first=modest, second=greedy, one=folder / "kept", both=site.state
        )


def cargo(path: Path, parts: Parts, vendor: Vendor) -> Cargo:
    root = path.with_suffix(".root.json")
    root.write_bytes(vendor.root_json)
    return Cargo(
        path=write_bundle(path, parts, vendor),
        parts=parts,
        root=root,
        fingerprint=Digest.of(vendor.root.payload).hex,
    )


def site_of(folder: Path, depot: Depot, state: Path, *, more: str = "") -> CheckedSite:
    """Make a site before the depot's registry, with a state directory of its own."""
    place = folder / "site"
    place.mkdir()
    url = json.dumps({"url": f"{depot.server.url}/{PREFIX}"})
    site = CheckedSite(place, socket=SOCKET, registry=url, product=PRODUCT, more=more)
    shutil.copytree(state, site.state)
    return site


def install(site: CheckedSite) -> None:
    """Record the first loaded release as the installed one."""
    with open_ledger(site.state) as ledger:
        release = ledger.releases.loaded()[0]
        uses = {"console_password": SecretUse(version=1, fingerprint="ab" * 32)}
        ledger.releases.record_installed(
            digest=release.digest,
            version=Version("1.0.0"),
            instances=(),
            settings=Settings(values={}, secrets=uses),
            point=None,
            at=NOW,
        )


@contextmanager
def held(port: int) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", port)):
        yield


def test_a_host_that_the_release_is_not_for(depot, tmp_path: Path) -> None:
    site = site_of(tmp_path, depot, depot.both)
    system = site.check("host.os")
    system.proves(CASES["preflight-system"])
    assert "kernel" in seen(system)
    assert "plan9 >=4" in advice(system)

    machine = site.check("host.arch")
    machine.proves(CASES["preflight-machine"])
    assert "console (linux/s390x), gateway (linux/s390x)" in seen(machine)

    memory = site.check("host.memory")
    memory.proves(CASES["preflight-memory"])
    assert "MiB" in seen(memory)
    assert "more memory" in advice(memory)

    disk = site.check("host.disk-space")
    disk.proves(CASES["preflight-disk"])
    assert "needed (release" in seen(disk)
    assert f"df -h {site.state}" in advice(disk)


def test_a_port_that_somebody_else_holds(depot, tmp_path: Path) -> None:
    port = depot.first.manifest.units[1].health.port
    site = site_of(tmp_path, depot, depot.one)
    with held(port):
        said = site.check("net")
    said.proves(CASES["preflight-port-taken"])
    assert f"port {port} is held by" in seen(said)
    assert f"ss -ltnp sport = :{port}" in advice(said)
    assert site.check("net").outcome == (0, "")


def test_a_new_port_of_an_upgrade_that_somebody_else_holds(depot, tmp_path: Path) -> None:
    old, new = (p.manifest.units[1].health.port for p in (depot.first, depot.second))
    site = site_of(tmp_path, depot, depot.both)
    install(site)
    with held(old):
        assert site.check("net").outcome == (0, "")
        with held(new):
            said = site.check("net")
    said.proves(CASES["preflight-new-port-taken"])
    assert f"port {new} is held by" in seen(said)


def test_images_that_somebody_removed_from_the_registry(tmp_path: Path) -> None:
    need("registry")
    made = make_parts(layer_bytes=1000, version="1.0.0", sequence=1)
    with RegistryServer(tmp_path / "registry") as server:
        loaded = LoadSite(
            tmp_path / "load", cargo(tmp_path / "1.s1b", made, make_vendor()), server.url
        )
        assert loaded.load().status == 0
        one = Depot(server=server, first=made, second=made, one=loaded.state, both=loaded.state)
        site = site_of(tmp_path, one, loaded.state)
        whole = site.check("reg")
        client, (console, gateway) = server.connect(), made.manifest.images
        place, tag = f"{PREFIX}/{gateway.repository}", gateway.tags[0]

        raw, kind = client.read_manifest(place, gateway.digest)
        client.put_manifest(place, tag, raw + b"\n", kind)
        moved = site.check("reg.images", "--strict")
        client.put_manifest(place, tag, raw, kind)

        client.delete_manifest(f"{PREFIX}/{console.repository}", console.digest)
        gone = site.check("reg.images")

        assert loaded.load().status == 0
        layer = next(b for b in made.manifest.blobs if b.kind == "oci-layer")
        server.forget_blob(layer.digest)
        server.restart()
        torn = site.check("reg.images")
        requests = {request.method for request in server.requests()[-10:]}
    assert whole.outcome == (0, "")
    assert moved.outcome == CASES["preflight-tag-moved"].outcome
    assert gone.outcome == CASES["preflight-image-removed"].outcome
    assert f"console: manifest {console.digest[:19]}" in seen(gone)
    assert "s1ctl load FILE" in advice(gone)
    assert torn.outcome == CASES["preflight-blob-removed"].outcome
    assert f"blob {layer.digest[:19]} of 1,000 bytes" in seen(torn)
    assert requests <= {"GET", "HEAD"}


def test_a_database_with_another_time(depot, postgres, tmp_path: Path) -> None:
    site = database_site(tmp_path, depot, postgres)
    assert site.check("clock").outcome == (0, "")
    with closing(postgres.connect(autocommit=True)) as database, database.cursor() as cursor:
        cursor.execute("CREATE SCHEMA lying")
        cursor.execute(
            "CREATE FUNCTION lying.clock_timestamp() RETURNS timestamptz LANGUAGE sql"
            " AS $$ SELECT pg_catalog.clock_timestamp() - interval '5 minutes' $$"
        )
        cursor.execute(f"ALTER ROLE {postgres.user} SET search_path = lying, pg_catalog, public")
    before = {**site.words(), "database": relations_of(postgres)}
    said = site.check("clock")
    assert said.outcome == CASES["preflight-database-clock"].outcome
    CASES["preflight-database-clock"].prove(
        before, {**site.words(), "database": relations_of(postgres)}
    )
    assert "database console is 300" in seen(said) or "database console is 299" in seen(said)
    assert "that of database console" in advice(said)


def test_a_disk_without_room_for_the_dump(depot, postgres, tmp_path: Path) -> None:
    site = database_site(tmp_path, depot, postgres)
    kept = shutil.move(site.state, tmp_path / "kept")
    with file_system(site.state, "size=6m"):
        shutil.copytree(kept, site.state, dirs_exist_ok=True)
        before = {**site.words(), "database": relations_of(postgres)}
        said = site.check("host.disk-space", "--to", "1.0.0")
        assert said.outcome == CASES["preflight-no-room-for-dump"].outcome
        CASES["preflight-no-room-for-dump"].prove(
            before, {**site.words(), "database": relations_of(postgres)}
        )
        assert f"{site.state}: " in seen(said)
        assert "copy of console 7 MiB" in seen(said)


def database_site(folder: Path, depot: Depot, postgres: Any) -> CheckedSite:
    """Make a site with an installed release whose database is `postgres`."""
    (folder / "url").write_text(postgres.dsn().reveal())
    site = site_of(
        folder, depot, depot.one, more=f"databases: {{console: {{url: 'file:{folder}/url'}}}}\n"
    )
    install(site)
    return site
