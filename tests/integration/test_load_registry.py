"""Bundles loaded into a real registry."""

import _thread
import hashlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from s1ctl.bundle.load import LoadReport, load_bundle, plan_load
from s1ctl.bundle.reader import Bundle, open_bundle
from s1ctl.errors import ContentsRefused, InputOutputFailed
from s1ctl.ledger.store import ReleaseStore, open_release
from s1ctl.oci.digest import Digest
from s1ctl.oci.registry import Registry
from s1ctl.progress import Progress
from tests.support.answers import AnswerServer, Told
from tests.support.bundles import Parts, Vendor, make_parts, make_vendor, write_bundle
from tests.support.registry import RegistryServer, Request
from tests.support.require import need

pytestmark = pytest.mark.integration

PREFIX = "site/a"
TAGS = ("site/a/acme/console:1.0.0", "site/a/acme/gateway:1.0.0")


@pytest.fixture(scope="module")
def vendor() -> Vendor:
    return make_vendor()


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "releases")


class Stand:
    """A bundle opened, ready to be loaded."""

    def __init__(self, folder: Path, vendor: Vendor, parts: Parts) -> None:
        self.parts = parts
        self.path = write_bundle(folder / f"{parts.manifest.sequence}.bundle", parts, vendor)
        self.bundle = open_bundle(self.path, vendor.trust)

    @property
    def in_registry(self) -> dict[Digest, int]:
        """The blobs that a load sends, with their sizes."""
        kinds = {"oci-config", "oci-layer"}
        return {b.digest: b.size for b in self.parts.manifest.blobs if b.kind in kinds}


@pytest.fixture
def stand(tmp_path: Path, vendor: Vendor) -> Iterator[Stand]:
    made = Stand(tmp_path, vendor, make_parts(is_multi_platform=True))
    with made.bundle:
        yield made


def load(bundle: Bundle, registry: Registry, store: ReleaseStore, **more: object) -> LoadReport:
    return load_bundle(bundle, registry, PREFIX, store, **more)  # type: ignore[arg-type]


def since(server: RegistryServer, before: int) -> list[Request]:
    return server.requests()[before:]


def test_a_bundle_is_loaded_whole(
    registry: RegistryServer, stand: Stand, store: ReleaseStore, vendor: Vendor
) -> None:
    client = registry.connect()
    report = load(stand.bundle, client, store)
    assert report.tags == TAGS
    assert report.moved_tags == ()
    for image in stand.parts.manifest.images:
        assert client.has_manifest(f"{PREFIX}/{image.repository}", "1.0.0") == image.digest
    release = open_release(stand.bundle.release.digest, store, vendor.trust)
    assert release.manifest == stand.parts.manifest
    assert release.small(release.manifest.compose) == stand.parts.blobs[release.manifest.compose]


def test_every_blob_is_sent_once_and_mounted_where_it_is_needed_too(
    registry: RegistryServer, stand: Stand, store: ReleaseStore
) -> None:
    report = load(stand.bundle, registry.connect(), store)
    uploads = [r for r in registry.requests() if r.method == "PUT" and "/blobs/" in r.path]
    sizes = stand.in_registry
    assert len(uploads) == report.blobs_sent == len(sizes)
    assert report.bytes_sent == sum(sizes.values())
    assert report.blobs_mounted == 1
    manifests = {b.digest for b in stand.parts.manifest.blobs if b.kind == "oci-manifest"}
    stored = registry.blobs()
    assert {digest: stored[digest] for digest in stored if digest not in manifests} == sizes


def test_manifests_come_after_blobs_children_before_indexes_and_tags_last(
    registry: RegistryServer, stand: Stand, store: ReleaseStore
) -> None:
    load(stand.bundle, registry.connect(), store)
    puts = [r.path.partition("?")[0] for r in registry.requests() if r.method == "PUT"]
    kinds = ["blob" if "/blobs/" in p else "manifest" if "sha256:" in p else "tag" for p in puts]
    assert kinds == sorted(kinds)
    order = [path.rpartition("/")[2] for path in puts]
    for image in stand.parts.manifest.images:
        children = json.loads(stand.parts.blobs[image.digest])["manifests"]
        assert all(order.index(c["digest"]) < order.index(image.digest) for c in children)


def test_a_second_load_only_asks(
    registry: RegistryServer, stand: Stand, store: ReleaseStore
) -> None:
    first = load(stand.bundle, registry.connect(), store)
    before = len(registry.requests())
    again = load(stand.bundle, registry.connect(), store)
    ping, *asked = since(registry, before + 1)
    assert (ping.method, ping.path) == ("GET", "/v2/")
    assert {request.method for request in asked} == {"HEAD"}
    assert (again.bytes_sent, again.blobs_sent, again.manifests_sent) == (0, 0, 0)
    assert again.blobs_there == len(stand.in_registry)
    assert again.tags == first.tags


def test_the_plan_tells_what_the_load_then_does(
    registry: RegistryServer, stand: Stand, store: ReleaseStore
) -> None:
    unique = sum(stand.in_registry.values())
    plan = plan_load(stand.bundle, registry.connect(), PREFIX)
    assert (plan.unique_bytes, plan.there_bytes, plan.send_bytes) == (unique, 0, unique)
    assert plan.tags == TAGS
    assert registry.blobs() == {}
    assert load(stand.bundle, registry.connect(), store).bytes_sent == plan.send_bytes
    plan = plan_load(stand.bundle, registry.connect(), PREFIX)
    assert (plan.there_bytes, plan.send_bytes, plan.manifests) == (unique, 0, 0)
    assert plan.blobs_there == plan.blobs


def test_the_next_release_sends_only_what_is_new(
    registry: RegistryServer, stand: Stand, store: ReleaseStore, tmp_path: Path, vendor: Vendor
) -> None:
    load(stand.bundle, registry.connect(), store)
    parts = make_parts(version="1.1.0", sequence=101, is_multi_platform=True)
    following = Stand(tmp_path, vendor, parts)
    with following.bundle:
        report = load(following.bundle, registry.connect(), store)
    new = following.in_registry.keys() - stand.in_registry.keys()
    assert 0 < len(new) < len(following.in_registry)
    assert report.bytes_sent == sum(following.in_registry[digest] for digest in new)


def test_progress_counts_the_bytes_to_send(
    registry: RegistryServer, stand: Stand, store: ReleaseStore
) -> None:
    told: list[Progress] = []
    report = load(stand.bundle, registry.connect(), store, notify=told.append)
    assert told[-1].done == told[-1].total == report.bytes_sent
    assert [p.done for p in told] == sorted(p.done for p in told)


def test_a_mount_that_is_refused_falls_back_to_sending(
    plain_registry: RegistryServer,
    stand: Stand,
    store: ReleaseStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = plain_registry.connect()
    monkeypatch.setattr(client, "mount_blob", lambda *_: False)
    report = load(stand.bundle, client, store)
    assert report.blobs_mounted == 0
    assert report.blobs_sent == len(stand.in_registry) + 1
    assert client.has_manifest("site/a/acme/gateway", "1.0.0")


def test_a_blob_that_was_lost_behind_its_manifest_is_sent_again(
    plain_registry: RegistryServer, stand: Stand, store: ReleaseStore
) -> None:
    load(stand.bundle, plain_registry.connect(), store)
    lost = max(stand.in_registry, key=lambda digest: stand.in_registry[digest])
    plain_registry.forget_blob(lost)
    plain_registry.restart()
    report = load(stand.bundle, plain_registry.connect(), store)
    assert (report.blobs_sent, report.bytes_sent) == (1, stand.in_registry[lost])
    assert report.manifests_sent > 0
    assert lost in plain_registry.blobs()


def test_a_tag_that_names_something_else_is_moved_and_told(
    plain_registry: RegistryServer,
    stand: Stand,
    store: ReleaseStore,
    tmp_path: Path,
    vendor: Vendor,
) -> None:
    load(stand.bundle, plain_registry.connect(), store)
    other = Stand(tmp_path, vendor, make_parts(sequence=101, layer_bytes=50_000))
    was = {image.digest for image in stand.parts.manifest.images}
    now = {image.digest for image in other.parts.manifest.images}
    with other.bundle:
        planned = plan_load(other.bundle, plain_registry.connect(), PREFIX).moved_tags
        moved = load(other.bundle, plain_registry.connect(), store).moved_tags
    assert planned == moved
    assert tuple(tag.name for tag in moved) == TAGS
    assert ({tag.was for tag in moved}, {tag.now for tag in moved}) == (was, now)


def test_a_tag_that_does_not_stay_is_refused(
    plain_registry: RegistryServer,
    stand: Stand,
    store: ReleaseStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = plain_registry.connect()
    ask = client.has_manifest
    monkeypatch.setattr(
        client, "has_manifest", lambda name, ref, **_: None if ref == "1.0.0" else ask(name, ref)
    )
    with pytest.raises(InputOutputFailed) as failed:
        load(stand.bundle, client, store)
    assert failed.value.code == "S1-R23"
    assert not store.has(stand.bundle.release.digest)


def test_a_blob_that_does_not_stay_is_refused(
    plain_registry: RegistryServer,
    stand: Stand,
    store: ReleaseStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = plain_registry.connect()
    monkeypatch.setattr(client, "has_blob", lambda *_: False)
    monkeypatch.setattr("s1ctl.bundle.load.SETTLING", client._wire._patience)
    with pytest.raises(InputOutputFailed) as failed:
        load(stand.bundle, client, store)
    assert failed.value.code == "S1-R24"


def test_a_layer_with_other_bytes_stops_the_load_before_any_tag(
    plain_registry: RegistryServer, stand: Stand, store: ReleaseStore
) -> None:
    raw = bytearray(stand.path.read_bytes())
    raw[-1024 - 500] ^= 1
    stand.path.write_bytes(raw)
    with pytest.raises(ContentsRefused) as refused:
        load(stand.bundle, plain_registry.connect(), store)
    assert refused.value.code == "S1-C10"
    assert not [r for r in plain_registry.requests() if r.method == "PUT" and "/manif" in r.path]
    assert plain_registry.damaged_blobs() == []
    assert not store.has(stand.bundle.release.digest)


def test_a_load_over_a_dying_registry_is_taken_up_again(
    registry: RegistryServer, stand: Stand, store: ReleaseStore
) -> None:
    half = sum(stand.in_registry.values()) // 2

    def kill(progress: Progress) -> None:
        if progress.done >= half:
            registry.stop(how=signal.SIGKILL)

    with pytest.raises(InputOutputFailed) as failed:
        load(stand.bundle, registry.connect(), store, notify=kill, workers=1)
    assert failed.value.code in {"S1-R02", "S1-R15"}
    assert not store.has(stand.bundle.release.digest)
    there = registry.blobs()
    assert 0 < len(there) < len(stand.in_registry)
    assert registry.damaged_blobs() == []

    registry.start()
    report = load(stand.bundle, registry.connect(), store)
    lacked = stand.in_registry.keys() - there.keys()
    assert report.bytes_sent == sum(stand.in_registry[digest] for digest in lacked)
    assert stand.in_registry.items() <= registry.blobs().items()
    assert store.has(stand.bundle.release.digest)


def test_an_interrupted_load_leaves_nothing_half_written(
    plain_registry: RegistryServer, store: ReleaseStore, tmp_path: Path, vendor: Vendor
) -> None:
    stand = Stand(tmp_path, vendor, make_parts(layer_bytes=8 << 20))
    times: list[int] = []

    def interrupt(progress: Progress) -> None:
        times.append(progress.done)
        if len(times) == 3:
            _thread.interrupt_main()

    with stand.bundle:
        with pytest.raises(KeyboardInterrupt):
            load(stand.bundle, plain_registry.connect(), store, notify=interrupt, workers=2)
        assert plain_registry.damaged_blobs() == []
        assert not store.has(stand.bundle.release.digest)
        there = plain_registry.blobs()
        report = load(stand.bundle, plain_registry.connect(), store)
    # A blob whose last byte had gone out may have been stored after we looked.
    lacked = stand.in_registry.keys() - there.keys()
    assert report.bytes_sent <= sum(stand.in_registry[digest] for digest in lacked)
    assert stand.in_registry.items() <= plain_registry.blobs().items()


class Failing:
    """A bundle whose largest blob comes byte by byte, and whose others fail once that has begun."""

    def __init__(self, bundle: Bundle, largest: Digest) -> None:
        self.release = bundle.release
        self.has_ended = threading.Event()
        self._bundle, self._largest = bundle, largest
        self._has_begun = threading.Event()

    def stream(self, digest: Digest) -> Iterator[bytes]:
        if digest != self._largest:
            assert self._has_begun.wait(30)
            raise ContentsRefused("other bytes", code="S1-C10", hint="get the file again")
        try:
            for byte in b"".join(self._bundle.stream(digest)):
                self._has_begun.set()
                yield bytes([byte])
        finally:
            self.has_ended.set()


def test_an_error_of_one_blob_stops_another_in_its_middle(
    plain_registry: RegistryServer, store: ReleaseStore, tmp_path: Path, vendor: Vendor
) -> None:
    stand = Stand(tmp_path, vendor, make_parts(layer_bytes=4 << 20))
    with stand.bundle:
        sizes = stand.in_registry
        largest = min(digest for digest in sizes if sizes[digest] == 4 << 20)
        failing = Failing(stand.bundle, largest)
        with pytest.raises(ContentsRefused):
            load(failing, plain_registry.connect(), store)  # type: ignore[arg-type]
    assert failing.has_ended.is_set()
    assert largest not in plain_registry.blobs()


def test_workers_are_taken_away_by_the_registry_s_setbacks(
    plain_registry: RegistryServer,
    stand: Stand,
    store: ReleaseStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names: set[str] = set()
    client = plain_registry.connect()
    upload = client.upload_blob

    def noted(*arguments: Any) -> None:
        names.add(threading.current_thread().name)
        upload(*arguments)

    monkeypatch.setattr(client, "upload_blob", noted)
    client._wire.setbacks = 99
    load(stand.bundle, client, store)
    assert len(names) == 1


def test_what_is_not_a_registry_is_told_before_anything_is_sent(
    stand: Stand, store: ReleaseStore
) -> None:
    with AnswerServer(lambda _: Told(status=404)) as server:
        with pytest.raises(InputOutputFailed) as failed:
            load(stand.bundle, Registry(server.url), store)
        assert failed.value.code == "S1-R05"
        assert [asked.method for asked in server.asked] == ["GET"]


def test_skopeo_reads_what_was_loaded(
    registry: RegistryServer, stand: Stand, store: ReleaseStore, tmp_path: Path
) -> None:
    need("skopeo")
    load(stand.bundle, registry.connect(), store)
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    (certificates / "ca.crt").write_bytes((registry.folder / "ca.crt").read_bytes())
    access = ["--cert-dir", str(certificates), "--creds", f"{registry.user}:{registry.password}"]
    image = stand.parts.manifest.images[0]
    name = f"docker://{registry.host}/{PREFIX}/{image.repository}"
    raw = run("skopeo", "inspect", "--raw", *access, f"{name}:1.0.0")
    assert Digest.of(raw) == image.digest
    layout = f"oci:{tmp_path / 'layout'}:console"
    access = [f"--src-{option[2:]}" if option.startswith("--") else option for option in access]
    run("skopeo", "copy", "--all", "--preserve-digests", *access, f"{name}@{image.digest}", layout)
    copied = {path.name for path in (tmp_path / "layout/blobs/sha256").iterdir()}
    assert image.digest.hex in copied


def run(*command: str) -> bytes:
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


MEASURED = """
import resource, sys
from pathlib import Path
from s1ctl.bundle.load import load_bundle
from s1ctl.bundle.reader import open_bundle
from s1ctl.ledger.store import ReleaseStore
from s1ctl.oci.registry import Registry
from s1ctl.trust.root import Trust, first_root

path, url, raw, fingerprint, store = sys.argv[1:]
root = first_root(Path(raw).read_bytes(), fingerprint)
trust = Trust(product="acme", channel="stable", root=root)
with open_bundle(Path(path), trust) as bundle:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report = load_bundle(bundle, Registry(url), "site", ReleaseStore(Path(store)))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(report.bytes_sent, after - before)
"""


def test_large_layers_are_never_held_in_memory(
    plain_registry: RegistryServer, tmp_path: Path, vendor: Vendor
) -> None:
    size = 150 << 20
    parts = make_parts(images=("console",), layer_bytes=size)
    path = write_bundle(tmp_path / "large.bundle", parts, vendor)
    parts.blobs.clear()
    (tmp_path / "root.json").write_bytes(vendor.root_json)
    out = run(
        sys.executable,
        "-c",
        MEASURED,
        str(path),
        plain_registry.url,
        str(tmp_path / "root.json"),
        hashlib.sha256(vendor.root.payload).hexdigest(),
        str(tmp_path / "store"),
    )
    sent, grown_kib = map(int, out.split())
    assert sent > 2 * size
    assert grown_kib < 60 << 10
