"""`s1ctl load` and a registry that misbehaves: what it received, and that nothing is lost."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from s1ctl.bundle.load import WORKERS
from s1ctl.oci.call import Deadlines
from s1ctl.oci.digest import Digest
from tests.support.answers import AnswerServer, Asked, Told
from tests.support.cases import CASES, Case
from tests.support.faulty_registry import (
    Answer,
    Change,
    Cut,
    Exchange,
    FaultyRegistry,
    Reply,
    always,
    times,
)
from tests.support.loads import Cargo, LoadSite, Said
from tests.support.registry import IMPATIENT, PASSWORD, USER, RegistryServer
from tests.support.require import need

pytestmark = pytest.mark.integration
OTHER = str(Digest.of(b"other"))
SHORT = Deadlines(connect_s=2, progress_s=0.3, commit_s=5)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s1ctl.oci.registry.Patience", lambda: IMPATIENT)
    monkeypatch.setattr("s1ctl.bundle.load.SETTLING", replace(IMPATIENT, tries=6))
    monkeypatch.setenv("REGISTRY_PASSWORD", PASSWORD)


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[FaultyRegistry]:
    need("registry")
    with (
        RegistryServer(tmp_path / "registry", user=USER, password=PASSWORD) as server,
        FaultyRegistry(server) as proxy,
    ):
        yield proxy


@pytest.fixture
def site(tmp_path: Path, cargo: Cargo, faulty: FaultyRegistry) -> LoadSite:
    there = {"user": USER, "password": "env:REGISTRY_PASSWORD"}
    return LoadSite(tmp_path / "site", cargo, faulty.url, **there)


def is_blob_put(exchange: Exchange) -> bool:
    return exchange.is_blob_put


def is_manifest_put(exchange: Exchange) -> bool:
    return exchange.method == "PUT" and "/manifests/sha256:" in exchange.path


def is_tag_put(exchange: Exchange) -> bool:
    return exchange.method == "PUT" and exchange.path.endswith("/manifests/1.0.0")


def puts(digest: str):
    return lambda exchange: exchange.is_blob_put and exchange.digest == digest


def refused(site: LoadSite, faulty: FaultyRegistry, case: Case) -> Said:
    """Load, and prove that all is as the case says, with no tag and no damaged blob set."""
    before = site.words(faulty.behind)
    said = site.load()
    assert said.outcome == case.outcome
    case.prove(before, site.words(faulty.behind))
    assert list(faulty.behind.storage.rglob("_manifests/tags/*/current/link")) == []
    assert faulty.behind.damaged_blobs() == []
    assert PASSWORD not in said.text
    return said


def loads_again(site: LoadSite, faulty: FaultyRegistry) -> None:
    """Load once more, now that nothing is wrong: only what the registry lacked is sent."""
    faulty.fault = lambda _: None
    there = faulty.behind.blobs()
    asked = len(faulty.exchanges)
    again = site.load()
    assert again.status == 0, again.text
    lacked = site.cargo.blobs.keys() - there.keys()
    sent = [e.digest for e in faulty.exchanges[asked:] if e.is_blob_put]
    assert sorted(sent) == sorted(lacked)
    is_whole(site, faulty)


def is_whole(site: LoadSite, faulty: FaultyRegistry) -> None:
    assert site.cargo.blobs.items() <= faulty.behind.blobs().items()
    assert len(list(faulty.behind.storage.rglob("_manifests/tags/1.0.0/current/link"))) == 2
    assert site.has_loaded()


def was_sent_once(site: LoadSite, faulty: FaultyRegistry) -> None:
    """Prove that each blob came whole, and once."""
    assert faulty.sent() == {digest: [size] for digest, size in site.cargo.blobs.items()}


# It passes by itself


def test_a_registry_that_is_busy_and_says_until_when(
    site: LoadSite, faulty: FaultyRegistry
) -> None:
    busy = Answer(status=429, headers={"Retry-After": "1"}, body=b"slow down")
    faulty.fault = times(1, lambda exchange: exchange.method == "POST", busy)
    said = site.load()
    assert said.outcome == CASES["registry-busy"].outcome
    was_sent_once(site, faulty)
    is_whole(site, faulty)


def test_a_registry_that_fails_now_and_then(site: LoadSite, faulty: FaultyRegistry) -> None:
    seen: set[tuple[str, str]] = set()

    def choose(exchange: Exchange) -> Answer | None:
        """Fail the first of each kind of request, before anything of it is kept."""
        kind = exchange.method, exchange.path.split("/")[-2]
        if exchange.is_blob_put or kind in seen:
            return None
        seen.add(kind)
        return Answer(status=503)

    faulty.fault = choose
    said = site.load()
    assert said.outcome == CASES["registry-failing-now-and-then"].outcome
    assert len(seen) >= 5
    was_sent_once(site, faulty)
    is_whole(site, faulty)


def test_a_connection_cut_in_the_middle_of_a_blob(
    site: LoadSite, faulty: FaultyRegistry, cargo: Cargo
) -> None:
    cut = cargo.largest
    faulty.fault = times(1, puts(cut), Cut(after=40_000))
    said = site.load()
    assert said.outcome == CASES["registry-cut"].outcome
    whole = {digest: [size] for digest, size in cargo.blobs.items()}
    assert faulty.sent() == whole | {cut: [40_000, cargo.blobs[cut]]}
    is_whole(site, faulty)


def test_a_mount_that_is_not_allowed(site: LoadSite, faulty: FaultyRegistry, cargo: Cargo) -> None:
    faulty.fault = always(lambda exchange: exchange.is_mount, Answer(status=401))
    said = site.load()
    assert said.outcome == CASES["registry-mount-refused"].outcome
    assert (said.loaded["blobs_mounted"], said.loaded["blobs_sent"]) == (0, len(cargo.blobs) + 1)
    twice = [digest for digest, tries in faulty.sent().items() if len(tries) == 2]
    assert len(twice) == 1
    is_whole(site, faulty)


def test_a_registry_of_several_replicas_that_know_a_blob_late(
    site: LoadSite, faulty: FaultyRegistry, cargo: Cargo
) -> None:
    left = dict.fromkeys(cargo.blobs, 2)

    def choose(exchange: Exchange) -> Answer | None:
        digest = exchange.path.rpartition("/")[2]
        is_put = any(one.digest == digest for one in faulty.exchanges)
        if exchange.method != "HEAD" or not is_put or not left.get(digest):
            return None
        left[digest] -= 1
        return Answer(status=404)

    faulty.fault = choose
    said = site.load()
    assert said.outcome == CASES["registry-replicas"].outcome
    assert set(left.values()) == {0}
    was_sent_once(site, faulty)


# It does not pass


def test_a_registry_that_is_busy_for_ever(site: LoadSite, faulty: FaultyRegistry) -> None:
    busy = Answer(status=429, headers={"Retry-After": "3600"}, body=b"slow down")
    faulty.fault = always(lambda exchange: exchange.writes, busy)
    said = refused(site, faulty, CASES["registry-busy-for-long"])
    assert "answered 429 to `POST " in said.message
    assert said.message.endswith("slow down; it asks to come back in 3600 s")
    assert len(faulty.behind.blobs()) == 0
    loads_again(site, faulty)


def test_a_registry_that_fails_for_ever(site: LoadSite, faulty: FaultyRegistry) -> None:
    faulty.fault = always(lambda exchange: exchange.writes, Answer(status=500, body=b"no\x1b[2J"))
    said = refused(site, faulty, CASES["registry-failing"])
    assert "answered 500 to `POST " in said.message
    assert "look at the registry's log and at its disk" in said.hint
    assert "\x1b" not in said.text
    assert len(faulty.writes()) <= WORKERS * IMPATIENT.tries
    loads_again(site, faulty)


def test_a_connection_that_is_cut_each_time(
    site: LoadSite, faulty: FaultyRegistry, cargo: Cargo
) -> None:
    faulty.fault = always(puts(cargo.largest), Cut(after=40_000))
    said = refused(site, faulty, CASES["registry-cut-each-time"])
    assert f"the connection to `{faulty.host}` broke" in said.message
    assert "only what lacks is sent" in said.hint
    assert faulty.sent()[cargo.largest] == [40_000] * IMPATIENT.tries
    loads_again(site, faulty)


def test_a_user_who_may_read_and_not_write(site: LoadSite, faulty: FaultyRegistry) -> None:
    denied = b'{"errors":[{"code":"DENIED","message":"requested access is denied"}]}'
    faulty.fault = always(lambda exchange: exchange.writes, Answer(status=403, body=denied))
    said = refused(site, faulty, CASES["registry-forbidden"])
    assert "DENIED requested access is denied" in said.message
    assert f"let `{USER}` pull and push there" in said.hint
    loads_again(site, faulty)


def test_a_limit_before_the_registry(site: LoadSite, faulty: FaultyRegistry, cargo: Cargo) -> None:
    faulty.fault = always(puts(cargo.largest), Answer(status=413, body=b"too large"))
    said = refused(site, faulty, CASES["registry-limit"])
    assert "raise the limit for request bodies" in said.hint
    loads_again(site, faulty)


def test_a_disk_that_is_full_says_so_by_507(
    site: LoadSite, faulty: FaultyRegistry, cargo: Cargo
) -> None:
    faulty.fault = always(puts(cargo.largest), Answer(status=507, body=b"quota of project a"))
    said = refused(site, faulty, CASES["registry-quota"])
    assert said.message.endswith(": quota of project a")
    assert "make room" in said.hint
    loads_again(site, faulty)


# It lies


@pytest.mark.parametrize(
    ("when", "what"), [(is_blob_put, "blob"), (is_manifest_put, "manifest"), (is_tag_put, "tag")]
)
def test_another_digest_after_a_put(
    site: LoadSite, faulty: FaultyRegistry, when, what: str
) -> None:
    def lie(reply: Reply) -> None:
        reply.headers["Docker-Content-Digest"] = OTHER

    faulty.fault = always(when, Change(by=lie))
    before = site.words()
    said = site.load()
    assert said.outcome == CASES["registry-lies"].outcome
    assert f"`{faulty.host}` answers `{OTHER}` where `sha256:" in said.message
    assert "check the registry's disk and the proxies before it" in said.hint
    CASES["registry-lies"].prove(before, site.words())
    faulty.fault = lambda _: None
    assert site.load().status == 0


def test_a_tag_that_somebody_else_moves_after_the_push(
    site: LoadSite, faulty: FaultyRegistry
) -> None:
    def read_back(exchange: Exchange) -> bool:
        is_read = exchange.method == "HEAD" and exchange.path.endswith("/manifests/1.0.0")
        return is_read and any(is_tag_put(one) for one in faulty.exchanges)

    def moved(reply: Reply) -> None:
        reply.headers["Docker-Content-Digest"] = OTHER

    faulty.fault = always(read_back, Change(by=moved))
    before = site.words()
    said = site.load()
    assert said.outcome == CASES["registry-tag-unsteady"].outcome
    assert f"answers `{OTHER}` for tag `site/a/acme/console:1.0.0`" in said.message
    assert "find out who else sets that tag" in said.hint
    CASES["registry-tag-unsteady"].prove(before, site.words())
    faulty.fault = lambda _: None
    assert site.load().status == 0


def test_a_blob_that_is_taken_and_then_not_there(
    site: LoadSite, faulty: FaultyRegistry, cargo: Cargo
) -> None:
    path = f"/blobs/{cargo.largest}"
    faulty.fault = always(
        lambda exchange: exchange.method == "HEAD" and exchange.path.endswith(path),
        Answer(status=404),
    )
    said = refused(site, faulty, CASES["registry-forgets"])
    assert f"took `{cargo.largest}` into `site/a/acme/" in said.message
    loads_again(site, faulty)


def test_an_answer_without_end(site: LoadSite, faulty: FaultyRegistry) -> None:
    endless = Answer(status=200, body=itertools.repeat(bytes(1 << 16)))
    faulty.fault = always(lambda exchange: "/manifests/" in exchange.path, endless)
    said = refused(site, faulty, CASES["registry-endless"])
    assert "sends more than 4194304 bytes for manifest" in said.message
    assert faulty.writes() == []
    loads_again(site, faulty)


def test_an_answer_that_trickles(
    site: LoadSite, faulty: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s1ctl.oci.registry.Deadlines", lambda: SHORT)

    def trickle() -> Iterator[bytes]:
        while True:
            yield b" "
            time.sleep(0.02)

    faulty.fault = lambda exchange: (
        Answer(status=200, body=trickle()) if "/manifests/" in exchange.path else None
    )
    said = refused(site, faulty, CASES["registry-trickles"])
    assert f"`{faulty.host}` did not finish its answer within 0.3 s" in said.message
    assert faulty.writes() == []
    monkeypatch.setattr("s1ctl.oci.registry.Deadlines", Deadlines)
    loads_again(site, faulty)


# It sends us elsewhere


def test_uploads_on_another_host_get_no_credentials(
    site: LoadSite, faulty: FaultyRegistry, cargo: Cargo
) -> None:
    with FaultyRegistry(faulty.behind) as store:
        # the storage takes whoever has its address, as an object store with signed URLs does
        lend = {"authorization": ""}

        def elsewhere(reply: Reply) -> None:
            if "Location" in reply.headers and reply.status == 202:
                reply.headers["Location"] = reply.headers["Location"].replace(
                    faulty.host, store.host
                )

        def remember(exchange: Exchange) -> Change | None:
            lend["authorization"] = exchange.headers.get("authorization", lend["authorization"])
            return Change(by=elsewhere) if exchange.method == "POST" else None

        store.lends = lend
        faulty.fault = remember
        said = site.load()
        assert said.outcome == CASES["registry-elsewhere"].outcome
        assert store.sent() == {digest: [size] for digest, size in cargo.blobs.items()}
        assert all("authorization" not in exchange.headers for exchange in store.exchanges)
        assert faulty.sent() == {}
        is_whole(site, faulty)


def test_reads_that_are_led_to_another_host_go_without_credentials(
    site: LoadSite, faulty: FaultyRegistry, cargo: Cargo
) -> None:
    assert site.load().status == 0
    with FaultyRegistry(faulty.behind) as store:
        store.lends = {"authorization": faulty.exchanges[-1].headers["authorization"]}
        asked = len(faulty.exchanges)
        faulty.fault = lambda exchange: (
            Answer(status=307, headers={"Location": store.url + exchange.path})
            if "/blobs/" in exchange.path
            else None
        )
        said = site.load()
        assert said.outcome == CASES["registry-redirects"].outcome
        assert said.loaded["blobs_there"] == len(cargo.blobs)
        assert len(store.exchanges) == len(cargo.blobs) + 1
        assert all("authorization" not in exchange.headers for exchange in store.exchanges)
        assert not any(exchange.writes for exchange in faulty.exchanges[asked:])


def test_another_host_that_asks_for_the_password_does_not_get_it(
    site: LoadSite, faulty: FaultyRegistry
) -> None:
    def asks(_: Asked) -> Told:
        return Told(status=401, headers={"WWW-Authenticate": 'Basic realm="me too"'})

    with AnswerServer(asks) as thief:

        def elsewhere(reply: Reply) -> None:
            reply.headers["Location"] = f"{thief.url}/upload"

        faulty.fault = always(lambda exchange: exchange.method == "POST", Change(by=elsewhere))
        said = refused(site, faulty, CASES["registry-thief"])
        led = f"`{faulty.host}` leads on to `{thief.host}`, which asks for a password"
        assert led in said.message
        assert "`storage.redirect.disable: true`" in said.hint
        assert thief.asked
        assert all("authorization" not in asked.headers for asked in thief.asked)
    loads_again(site, faulty)
