import json
import shutil
import time
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from s1ctl.ledger.ledger import open_ledger
from s1ctl.ledger.store import ReleaseStore
from s1ctl.oci.digest import Digest
from tests.support.bundles import CHANNEL, PRODUCT, make_parts, make_vendor, write_bundle
from tests.support.cases import CASES, outcome_of, stand_of
from tests.support.loads import Cargo, LoadSite
from tests.support.registry import RegistryServer


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """A bundle, the vendor's root, and the fingerprint that came by another way."""
    import hashlib

    folder = tmp_path_factory.mktemp("vendor")
    vendor = make_vendor()
    (folder / "root.json").write_bytes(vendor.root_json)
    bundle = write_bundle(folder / "acme.s1b", make_parts(), vendor)
    return bundle, folder / "root.json", hashlib.sha256(vendor.root.payload).hexdigest()


@pytest.fixture
def site(run, registry, carried, tmp_path: Path, monkeypatch) -> Path:
    path = tmp_path / "site.yaml"
    monkeypatch.setenv("S1CTL_SITE", str(path))
    monkeypatch.setenv("REGISTRY_PASSWORD", registry.password)
    _, root, fingerprint = carried
    run(
        *("init", "--non-interactive", "--name", "acme", "--product", PRODUCT),
        *("--channel", CHANNEL, "--registry", f"{registry.url}/acme", "--registry-ca", registry.ca),
        *("--registry-user", registry.user, "--registry-password", "env:REGISTRY_PASSWORD"),
        *("--state-dir", tmp_path / "state"),
    )
    assert run("trust", "init", "--root", root, "--fingerprint", fingerprint)[0] == 0
    return path


def test_a_bundle_is_loaded_into_registry_store_and_ledger(run, site, carried, tmp_path) -> None:
    status, out, _ = run("load", carried[0], "--output", "json")
    (loaded,) = json.loads(out)["loaded"]
    assert status == 0
    assert loaded["bytes_sent"] > 0
    assert ReleaseStore(tmp_path / "state" / "releases").has(Digest(loaded["digest"]))
    with open_ledger(tmp_path / "state") as ledger:
        assert [release.digest for release in ledger.releases.loaded()] == [loaded["digest"]]


def test_loading_again_sends_nothing(run, site, carried) -> None:
    run("load", carried[0])
    status, out, _ = run("load", carried[0], "--output", "json")
    (loaded,) = json.loads(out)["loaded"]
    assert status == 0
    assert loaded["bytes_sent"] == loaded["manifests_sent"] == 0


def test_a_planned_load_writes_nothing(run, site, carried, registry, tmp_path) -> None:
    status, out, _ = run("load", carried[0], "--plan")
    assert status == 0
    assert out.startswith("to load: acme 1.0.0")
    assert registry.blobs() == {}
    assert {request.method for request in registry.requests()} <= {"GET", "HEAD"}
    with open_ledger(tmp_path / "state") as ledger:
        assert ledger.releases.loaded() == ()


def test_a_registry_that_is_gone_is_exit_20_and_nothing_is_recorded(
    run, site, carried, registry, tmp_path
) -> None:
    registry.stop()
    status, _, err = run("load", carried[0])
    assert status == 20
    assert "S1-R" in err
    assert ReleaseStore(tmp_path / "state" / "releases").digests() == ()


def test_a_damaged_bundle_is_refused_and_nothing_is_sent(
    run, site, carried, registry, tmp_path
) -> None:
    damaged = tmp_path / "damaged.s1b"
    shutil.copyfile(carried[0], damaged)
    with damaged.open("r+b") as file:
        file.seek(-30_000, 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    status, _, err = run("load", damaged)
    assert status == 13
    assert "S1-C10" in err
    assert {request.method for request in registry.requests() if "manifests" in request.path} <= {
        "HEAD"
    }


def test_a_damaged_bundle_is_refused_though_the_registry_has_all_its_blobs(
    run, site, carried, registry, tmp_path
) -> None:
    damaged = tmp_path / "damaged.s1b"
    raw = bytearray(carried[0].read_bytes())
    raw[-30_000] ^= 1
    damaged.write_bytes(raw)
    run("load", carried[0])
    before, asked = stand_of(tmp_path / "state"), len(registry.requests())
    status, out, _ = run("load", damaged, "--output", "json")
    document = json.loads(out)
    assert outcome_of(status, document) == CASES["bundle-layer-flipped-all-there"].outcome
    assert "damaged.s1b" in document["error"]["message"]
    assert stand_of(tmp_path / "state") == before
    assert {request.method for request in registry.requests()[asked:]} <= {"GET", "HEAD"}


def test_the_registrys_password_is_in_no_output_and_no_file_of_the_state(
    run, site, carried, registry, tmp_path
) -> None:
    for words in (("load", carried[0]), ("load", carried[0], "--output", "json")):
        _, out, err = run(*words)
        assert registry.password not in out + err
    for path in (tmp_path / "state").rglob("*"):
        assert not path.is_file() or registry.password.encode() not in path.read_bytes()


@pytest.mark.parametrize("years", [-20, 20])
def test_a_clock_that_is_wrong_changes_only_when_a_bundle_was_loaded(
    plain_registry: RegistryServer, cargo: Cargo, tmp_path: Path, monkeypatch, years: int
) -> None:
    site = LoadSite(tmp_path / "site", cargo, plain_registry.url)
    offset = timedelta(days=365 * years)

    class WrongClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + offset

    away = time.time() + offset.total_seconds()
    monkeypatch.setattr(time, "time", lambda: away)
    monkeypatch.setattr(time, "time_ns", lambda: int(away * 1e9))
    monkeypatch.setattr("s1ctl.cli.load.datetime", WrongClock)
    said = site.load()
    assert said.outcome == CASES["bundle-loaded-by-a-wrong-clock"].outcome
    assert said.loaded["bytes_sent"] == sum(cargo.blobs.values())
    assert said.loaded["repairs"] == said.loaded["moved_tags"] == []
    assert cargo.blobs.items() <= plain_registry.blobs().items()
    assert site.stored() == [Digest(said.loaded["digest"])]
    assert site.has_loaded()
    with open_ledger(site.state) as ledger:
        (release,) = ledger.releases.loaded()
        root = ledger.trust.root(PRODUCT)
    assert abs(release.loaded_at - datetime.now(UTC)) > timedelta(days=365 * 19)
    assert root == cargo.root.read_bytes()
    before = site.stand()
    assert site.load("--plan").status == 0
    assert site.stand() == before
