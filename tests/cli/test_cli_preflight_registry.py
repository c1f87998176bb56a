"""What preflight finds at the registry, each provoked through the command line."""

import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.support.cases import CASES
from tests.support.checked import CheckedSite, advice, seen
from tests.support.faulty_registry import Change, Exchange, FaultyRegistry, Reply
from tests.support.registry import PASSWORD, USER, RegistryServer, make_certificates
from tests.support.require import need

SOCKET = Path("/nowhere/engine.sock")


@pytest.fixture(scope="module")
def guarded() -> Iterator[RegistryServer]:
    """A registry with a private authority and a password."""
    need("registry")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "registry"
        with RegistryServer(place, tls=True, user=USER, password=PASSWORD) as server:
            yield server


def site_of(folder: Path, **access: object) -> CheckedSite:
    place = folder / "site"
    place.mkdir(exist_ok=True)
    return CheckedSite(place, socket=SOCKET, registry=json.dumps(access))


def test_a_registry_that_is_down(tmp_path: Path) -> None:
    said = site_of(tmp_path, url="http://127.0.0.1:1/shop").check("reg")
    said.proves(CASES["preflight-registry-down"])
    assert "`127.0.0.1:1` cannot be reached" in seen(said)
    assert "start the registry" in advice(said)
    assert [one["outcome"] for one in said.document["findings"]][1:] == ["skip"] * 3


def test_a_registry_whose_authority_is_not_known(guarded, tmp_path: Path) -> None:
    said = site_of(tmp_path, url=f"{guarded.url}/shop").check("reg")
    said.proves(CASES["preflight-unknown-authority"])
    assert "no authority that this host knows" in seen(said)
    assert "registry.ca" in advice(said)


def test_a_registry_that_does_not_take_our_password(guarded, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("another-password")
    words = {"url": f"{guarded.url}/shop", "ca": str(guarded.ca), "user": USER}
    wrong = site_of(tmp_path, **words, password=f"file:{tmp_path}/password").check("reg")
    wrong.proves(CASES["preflight-wrong-password"])
    assert USER in seen(wrong)
    assert "registry.password" in advice(wrong)
    assert "another-password" not in wrong.text

    missing = site_of(tmp_path, **words, password="file:/nowhere/password").check("reg")
    missing.proves(CASES["preflight-no-password"])
    assert "/nowhere/password" in seen(missing)


def test_a_certificate_that_will_end(guarded, tmp_path: Path) -> None:
    site = site_of(tmp_path, url=f"{guarded.url}/shop", ca=str(guarded.ca))
    said = site.check("cert", "--strict")
    said.proves(CASES["preflight-certificate-ends"])
    assert "test registry" in seen(said)
    assert "in 23 hours" in seen(said)


def test_a_certificate_that_has_ended(tmp_path: Path) -> None:
    need("registry")
    with RegistryServer(tmp_path / "registry", tls=True) as server:
        server.stop()
        make_certificates(server.folder, ("127.0.0.1",), days=-3)
        server.start()
        site = site_of(tmp_path, url=f"{server.url}/shop", ca=str(server.ca))
        said = site.check("cert")
        beside = site.check("reg")
    said.proves(CASES["preflight-certificate-ended"])
    ended = datetime.now(UTC) - timedelta(days=3)
    assert f"ended on {ended:%Y-%m-%d}, 3 days ago" in seen(said)
    assert "new one made" in advice(said)
    assert beside.outcome == (3, "reg.tls")


def test_an_authority_that_has_ended_is_told_from_the_certificate(guarded, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    make_certificates(old, ("127.0.0.1",), days=-3)
    authority = (old / "server.crt").read_bytes()
    both = tmp_path / "both.pem"
    both.write_bytes(guarded.ca.read_bytes() + authority)
    site = site_of(tmp_path, url="https://127.0.0.1:1/shop", ca=str(old / "server.crt"))
    assert site.check("cert").outcome == CASES["preflight-authority-ended"].outcome
    used = site_of(tmp_path, url=f"{guarded.url}/shop", ca=str(both))
    assert used.check("cert").outcome == (0, "cert.expiry")


def test_a_registry_with_another_time(tmp_path: Path) -> None:
    need("registry")
    with RegistryServer(tmp_path / "registry") as server, FaultyRegistry(server) as lying:
        lying.fault = another_time
        said = site_of(tmp_path, url=f"{lying.url}/shop").check("clock")
        assert lying.writes() == []
    assert said.outcome == CASES["preflight-registry-clock"].outcome
    assert "the registry is 86,4" in seen(said) or "the registry is 86,39" in seen(said)
    assert "behind this host" in seen(said)
    assert "the registry" in advice(said)


def another_time(_: Exchange) -> Change:
    """Have the registry say that it is yesterday."""

    def change(reply: Reply) -> None:
        reply.headers["Date"] = format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)

    return Change(by=change)
