"""`s1ctl load` and the real registry on a bad day: down, elsewhere, full, read-only, half lost."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from s1ctl.cli.progress import ProgressLine
from s1ctl.errors import InputOutputFailed
from s1ctl.oci import cause
from s1ctl.oci.call import Deadlines
from s1ctl.oci.retry import Patience, TemporarilyFailed
from s1ctl.progress import Progress
from tests.support.answers import AnswerServer, SilentServer, Told
from tests.support.bundles import make_vendor
from tests.support.cases import CASES, Case
from tests.support.faulty_registry import Cut, Exchange, FaultyRegistry, times
from tests.support.loads import PREFIX, Cargo, LoadSite, make_cargo
from tests.support.registry import (
    IMPATIENT,
    PASSWORD,
    USER,
    RegistryServer,
    free_port,
    make_certificates,
)
from tests.support.require import need
from tests.support.waiting import in_background, wait_until

pytestmark = pytest.mark.integration
IN = {"user": USER, "password": "env:REGISTRY_PASSWORD"}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s1ctl.oci.registry.Patience", lambda: IMPATIENT)
    monkeypatch.setattr("s1ctl.bundle.load.SETTLING", IMPATIENT)
    monkeypatch.setenv("REGISTRY_PASSWORD", PASSWORD)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """A registry with TLS and a password, which no test of this module writes to."""
    need("registry")
    folder = tmp_path_factory.mktemp("guarded")
    with RegistryServer(folder, tls=True, user=USER, password=PASSWORD) as server:
        yield server


@pytest.fixture
def site(tmp_path: Path, cargo: Cargo) -> LoadSite:
    return LoadSite(tmp_path / "site", cargo, "https://registry.invalid")


@pytest.fixture
def plain(plain_registry: RegistryServer, site: LoadSite) -> RegistryServer:
    site.write(plain_registry.url)
    return plain_registry


def tags(server: RegistryServer) -> dict[str, str]:
    """Say what each tag in the registry's storage names."""
    links = server.storage.rglob("_manifests/tags/*/current/link")
    return {str(link.relative_to(server.storage)): link.read_text() for link in links}


def held(server: RegistryServer) -> set[str]:
    """List the blobs that some repository holds; the bytes of others may be there already."""
    return {link.read_text() for link in server.storage.rglob("_layers/sha256/*/link")}


# Not let in, or not there


def test_a_registry_that_is_down(site: LoadSite) -> None:
    site.write(f"https://127.0.0.1:{(port := free_port())}")
    before = site.words()
    said = site.load()
    assert said.outcome == CASES["registry-down"].outcome
    assert said.message == f"`127.0.0.1:{port}` cannot be reached: Connection refused"
    assert "start the registry, or correct `registry.url`" in said.hint
    CASES["registry-down"].prove(before, site.words())


def test_a_registry_whose_name_nobody_knows(site: LoadSite) -> None:
    before = site.words()
    said = site.load()
    assert said.outcome == CASES["registry-name-unknown"].outcome
    assert "`registry.invalid` does not resolve" in said.message
    assert "`/etc/hosts`" in said.hint
    assert "`HTTPS_PROXY`" in said.hint
    CASES["registry-name-unknown"].prove(before, site.words())


def test_a_wrong_password(
    site: LoadSite, guarded: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write(guarded.url, ca=guarded.ca, **IN)
    monkeypatch.setenv("REGISTRY_PASSWORD", "canary-of-a-wrong-password")
    before, asked = site.words(guarded), len(guarded.requests())
    said = site.load()
    assert said.outcome == CASES["registry-wrong-password"].outcome
    assert f"`{guarded.host}` does not accept the password of `{USER}`" in said.message
    assert "`registry.password`" in said.hint
    assert "canary" not in said.text
    CASES["registry-wrong-password"].prove(before, site.words(guarded))
    assert [request.status for request in guarded.requests()[asked:]] == [401, 401]


def test_no_password_where_one_is_wanted(site: LoadSite, guarded: RegistryServer) -> None:
    site.write(guarded.url, ca=guarded.ca)
    before, asked = site.words(guarded), len(guarded.requests())
    said = site.load()
    assert said.outcome == CASES["registry-no-password"].outcome
    assert "asks for a user and a password" in said.message
    assert "`registry.user` and `registry.password`" in said.hint
    CASES["registry-no-password"].prove(before, site.words(guarded))
    assert len(guarded.requests()) == asked + 1


def test_an_authority_that_is_another_one(
    site: LoadSite, guarded: RegistryServer, tmp_path: Path
) -> None:
    make_certificates(tmp_path, ("127.0.0.1",))
    site.write(guarded.url, ca=tmp_path / "ca.crt", **IN)
    before = site.words(guarded)
    said = site.load()
    assert said.outcome == CASES["registry-wrong-ca"].outcome
    assert f"signed by none of the authorities in `{tmp_path}/ca.crt`" in said.message
    assert "`registry.ca`" in said.hint
    assert f"openssl s_client -connect {guarded.host}" in said.hint
    CASES["registry-wrong-ca"].prove(before, site.words(guarded))


def test_a_private_authority_that_the_site_file_does_not_name(
    site: LoadSite, guarded: RegistryServer
) -> None:
    site.write(guarded.url, **IN)
    before = site.words(guarded)
    said = site.load()
    assert said.outcome == CASES["registry-no-ca"].outcome
    assert "signed by no authority that this host knows" in said.message
    CASES["registry-no-ca"].prove(before, site.words(guarded))


def test_a_file_of_authorities_that_is_missing(
    site: LoadSite, guarded: RegistryServer, tmp_path: Path
) -> None:
    site.write(guarded.url, ca=tmp_path / "missing.pem", **IN)
    before = site.words(guarded)
    said = site.load()
    assert said.outcome == CASES["registry-ca-missing"].outcome
    assert f"`{tmp_path}/missing.pem` cannot be read: No such file" in said.message
    CASES["registry-ca-missing"].prove(before, site.words(guarded))


NAMED = CASES["registry-other-name"], ("registry.acme.internal",), 1
OVER = CASES["registry-certificate-over"], ("127.0.0.1",), -1


@pytest.mark.parametrize(
    ("made", "words", "look"),
    [
        (NAMED, "is for another name", "-ext subjectAltName`"),
        (OVER, "certificate has expired", "-dates`"),
    ],
)
def test_a_certificate_that_does_not_hold(
    site: LoadSite, tmp_path: Path, made: tuple[Case, tuple[str, ...], int], words: str, look: str
) -> None:
    need("registry")
    case, names, days = made
    server = RegistryServer(tmp_path / "registry", tls=True)
    make_certificates(server.folder, names, days=days)
    with server:
        site.write(server.url, ca=server.ca)
        before = site.words(server)
        said = site.load()
        assert said.outcome == case.outcome
        assert words in said.message
        assert f"openssl s_client -connect {server.host}" in said.hint
        assert look in said.hint
        case.prove(before, site.words(server))
        assert server.requests() == []


def test_https_where_plain_http_is_spoken(site: LoadSite, plain: RegistryServer) -> None:
    site.write(plain.url.replace("http:", "https:"))
    before = site.words(plain)
    said = site.load()
    assert said.outcome == CASES["registry-without-tls"].outcome
    assert f"`registry.url: http://{plain.host}`" in said.hint
    CASES["registry-without-tls"].prove(before, site.words(plain))


def test_plain_http_where_tls_is_spoken(site: LoadSite, guarded: RegistryServer) -> None:
    site.write(guarded.url.replace("https:", "http:"), **IN)
    before = site.words(guarded)
    said = site.load()
    assert said.outcome == CASES["registry-with-tls"].outcome
    assert "`registry.url" in said.hint
    assert "https://" in said.hint
    CASES["registry-with-tls"].prove(before, site.words(guarded))


@pytest.mark.parametrize("status", [200, 404])
def test_a_web_server_is_no_registry(site: LoadSite, status: int) -> None:
    page = Told(status=status, headers={"Content-Type": "text/html"}, body=b"<h1>Welcome!</h1>")
    with AnswerServer(lambda _: page) as server:
        site.write(server.url)
        before = site.words()
        said = site.load()
        assert said.outcome == CASES["registry-is-none"].outcome
        assert f"answered {status} to `GET /v2/`: <h1>Welcome!</h1>" in said.message
        assert "scheme, host and port" in said.hint
        CASES["registry-is-none"].prove(before, site.words())
        assert [asked.method for asked in server.asked] == ["GET"]


def test_a_registry_that_leads_out_of_tls(site: LoadSite, tmp_path: Path) -> None:
    need("registry")
    named = "http://registry.acme.internal"
    with RegistryServer(tmp_path / "registry", tls=True, calls_itself=named) as server:
        site.write(server.url, ca=server.ca)
        before = site.words(server)
        said = site.load()
        assert said.outcome == CASES["registry-leaves-tls"].outcome
        assert f"sends us on to `{named}/v2/{PREFIX}/acme/" in said.message
        assert "`http.relativeurls: true`" in said.hint
        CASES["registry-leaves-tls"].prove(before, site.words(server))
        assert server.blobs() == {}


def test_a_registry_that_says_nothing(site: LoadSite, monkeypatch: pytest.MonkeyPatch) -> None:
    short = Deadlines(connect_s=2, progress_s=0.2, commit_s=2)
    monkeypatch.setattr("s1ctl.oci.registry.Deadlines", lambda: short)
    with SilentServer() as server:
        site.write(f"http://{server.host}")
        before = site.words()
        said = site.load()
        assert said.outcome == CASES["registry-silent"].outcome
        assert said.message == f"`{server.host}` did not answer within 0.2 s"
        assert "look at the registry's log and load" in said.hint
        CASES["registry-silent"].prove(before, site.words())


# There, but it takes nothing


def test_a_registry_in_read_only_mode(site: LoadSite, plain: RegistryServer) -> None:
    plain.stop()
    plain.configure(is_read_only=True)
    plain.start()
    before = site.words(plain)
    said = site.load()
    assert said.outcome == CASES["registry-read-only"].outcome
    assert "answered 405 to `POST " in said.message
    assert "`storage.maintenance.readonly`" in said.hint
    CASES["registry-read-only"].prove(before, site.words(plain))
    assert plain.blobs() == {}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for one layer, not for two."""
    need("root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=220k", "none", str(folder))
    subprocess.run(mount, check=True, timeout=20)
    try:
        yield folder
    finally:
        subprocess.run(("umount", "-l", str(folder)), check=True, timeout=20)


def test_a_full_disk_and_then_room(
    site: LoadSite, small_disk: Path, tmp_path: Path, cargo: Cargo
) -> None:
    need("registry")
    with RegistryServer(tmp_path / "registry", storage=small_disk) as server:
        site.write(server.url)
        before = site.words(server)
        said = site.load()
        assert said.outcome == CASES["registry-disk-full"].outcome
        assert "(No space left on device)" in said.message
        assert "make room on the registry's disk" in said.hint
        CASES["registry-disk-full"].prove(before, site.words(server))
        assert (tags(server), server.damaged_blobs()) == ({}, [])
        lacked = cargo.blobs.keys() - held(server)
        more = ("mount", "-o", "remount,size=9m", str(small_disk))
        subprocess.run(more, check=True, timeout=20)
        again = site.load()
        assert again.status == 0, again.text
        assert again.loaded["bytes_sent"] == sum(cargo.blobs[digest] for digest in lacked)
        assert site.has_loaded()
        assert cargo.blobs.items() <= server.blobs().items()


@pytest.mark.parametrize(
    "links",
    [
        "_layers/sha256/*/link",
        "_manifests/revisions/sha256/*/link",
        "_manifests/tags/*/current/link",
    ],
)
def test_a_link_that_a_full_disk_left_empty_is_mended(
    site: LoadSite, plain: RegistryServer, links: str
) -> None:
    assert site.load().status == 0
    texts = {path: path.read_text() for path in plain.storage.rglob(links)}
    for path in texts:
        path.write_bytes(b"")
    plain.restart()
    said = site.load()
    assert said.outcome == CASES["registry-empty-link"].outcome
    assert {path: path.read_text() for path in texts} == texts


def test_a_blob_that_was_cut_short_on_the_registrys_disk(
    site: LoadSite, plain: RegistryServer, cargo: Cargo
) -> None:
    assert site.load().status == 0
    hexadecimal = cargo.largest.removeprefix("sha256:")
    (data,) = plain.storage.rglob(f"blobs/sha256/*/{hexadecimal}/data")
    data.write_bytes(b"")
    plain.restart()
    before = site.words(plain)
    said = site.load()
    assert said.outcome == CASES["registry-blob-short"].outcome
    assert f"took `{cargo.largest}` into `" in said.message
    assert "a damaged blob must be deleted there" in said.hint
    CASES["registry-blob-short"].prove(before, site.words(plain))
    plain.forget_blob(cargo.largest)
    plain.restart()
    assert site.load().status == 0


# There, and not what it was


def test_a_tag_that_names_another_digest_is_moved_and_told(
    plain: RegistryServer, tmp_path: Path
) -> None:
    vendor = make_vendor()
    first, other = (
        make_cargo(tmp_path, vendor=vendor, sequence=100 + n, layer_bytes=50_000 + n)
        for n in range(2)
    )
    there = LoadSite(tmp_path / "there", first, plain.url)
    elsewhere = LoadSite(tmp_path / "elsewhere", other, plain.url)
    assert there.load().status == 0
    planned = elsewhere.load("--plan", output="text")
    said = elsewhere.load()
    assert said.outcome == CASES["registry-tag-moved"].outcome
    was = {i.repository: str(i.digest) for i in first.parts.manifest.images}
    now = {i.repository: str(i.digest) for i in other.parts.manifest.images}
    assert said.loaded["moved_tags"] == [
        {"name": f"{PREFIX}/{name}:1.0.0", "was": was[name], "now": now[name]} for name in was
    ]
    name = next(iter(was))
    assert f"warning: tag {PREFIX}/{name}:1.0.0 named {was[name]} before" in planned.text


def test_a_manifest_with_a_blob_missing_is_repaired_and_told(
    site: LoadSite, plain: RegistryServer, cargo: Cargo
) -> None:
    assert site.load().loaded["repairs"] == []
    lost = cargo.largest
    plain.stop()
    plain.forget_blob(lost)
    plain.start()
    planned = site.load("--plan", output="text")
    said = site.load()
    assert said.outcome == CASES["registry-blob-lost"].outcome
    assert said.loaded["bytes_sent"] == cargo.blobs[lost]
    repairs = {one["name"]: one["missing"] for one in said.loaded["repairs"]}
    images = [
        i for i in cargo.parts.manifest.images if lost in cargo.parts.blobs[i.digest].decode()
    ]
    assert repairs == {f"{PREFIX}/{i.repository}@{i.digest}": [lost] for i in images}
    for name in repairs:
        assert f"to repair: {name} was there, but not what it names: {lost}" in planned.text
    assert lost in plain.blobs()
    assert site.load().loaded["repairs"] == []


# It dies, or we do


def at_half(monkeypatch: pytest.MonkeyPatch, cargo: Cargo, act: Callable[[], object]) -> None:
    """Do something when half of the bundle has been sent."""
    half, shown, done = sum(cargo.blobs.values()) // 2, ProgressLine.__call__, []

    def told(line: ProgressLine, progress: Progress) -> None:
        shown(line, progress)
        if progress.done >= half and not done:
            done.append(progress)
            act()

    monkeypatch.setattr(ProgressLine, "__call__", told)


def test_a_registry_that_dies_in_the_middle(
    site: LoadSite, plain: RegistryServer, cargo: Cargo, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = site.words(plain)
    with monkeypatch.context() as patch:
        # more tries than kept connections, which are found broken first
        patience = Patience(tries=10, first_s=0.01, longest_s=0.1)
        patch.setattr("s1ctl.oci.registry.Patience", lambda: patience)
        at_half(patch, cargo, lambda: plain.stop(how=signal.SIGKILL))
        said = site.load()
    assert said.outcome == CASES["registry-died"].outcome
    assert "run the command again: only what lacks is sent" in said.hint
    CASES["registry-died"].prove(before, site.words(plain))
    assert (tags(plain), plain.damaged_blobs()) == ({}, [])
    there = held(plain)
    plain.start()
    again = site.load()
    lacked = cargo.blobs.keys() - there
    assert again.loaded["bytes_sent"] == sum(cargo.blobs[digest] for digest in lacked)
    assert site.has_loaded()


def test_a_registry_that_is_started_again_in_the_middle(
    site: LoadSite, plain: RegistryServer, cargo: Cargo, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_missed, gone = threading.Event(), cause.gone

    def missed(failed: InputOutputFailed) -> TemporarilyFailed:
        is_missed.set()
        return gone(failed)

    def restart() -> None:
        plain.stop(how=signal.SIGKILL)
        in_background(lambda: is_missed.wait(20) and plain.start())

    monkeypatch.setattr(cause, "gone", missed)
    patience = Patience(tries=6, first_s=0.1)
    monkeypatch.setattr("s1ctl.oci.registry.Patience", lambda: patience)
    at_half(monkeypatch, cargo, restart)
    said = site.load()
    assert said.outcome == CASES["registry-restarted"].outcome
    assert cargo.blobs.items() <= plain.blobs().items()
    assert plain.damaged_blobs() == []
    assert site.has_loaded()


def test_s1ctl_killed_in_the_middle_and_run_again(
    site: LoadSite, plain: RegistryServer, cargo: Cargo
) -> None:
    cut, begun = cargo.largest, list[subprocess.Popen[bytes]]()
    with FaultyRegistry(plain) as proxy:

        def kill() -> None:
            """Kill s1ctl when all the other blobs are there, with this one half sent."""
            wait_until(lambda: begun and sum(e.status == 201 for e in blob_puts(proxy)) == others)
            begun[0].kill()
            begun[0].wait(20)

        others = len(cargo.blobs) - 1
        half = Cut(after=cargo.blobs[cut] // 2, then=kill)
        proxy.fault = times(1, lambda exchange: exchange.digest == cut, half)
        site.write(proxy.url)
        before = site.words(plain)
        program = "from s1ctl.cli.main import run; run()"
        words = [sys.executable, "-c", program, *map(str, site.line())]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as s1:
            begun.append(s1)
            assert s1.wait(60) == -signal.SIGKILL
        CASES["registry-load-killed"].prove(before, site.words(plain))
        assert (tags(plain), plain.damaged_blobs()) == ({}, [])
        assert cut not in plain.blobs()
        said = site.load()
        assert said.outcome == CASES["registry-load-killed"].outcome
        assert said.loaded["bytes_sent"] == cargo.blobs[cut]
        whole = {digest: [size] for digest, size in cargo.blobs.items()}
        assert proxy.sent() == whole | {cut: [cargo.blobs[cut] // 2, cargo.blobs[cut]]}
        assert site.has_loaded()


def blob_puts(proxy: FaultyRegistry) -> list[Exchange]:
    return [exchange for exchange in proxy.exchanges if exchange.is_blob_put]
