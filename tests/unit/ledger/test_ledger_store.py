"""The release store: whole or absent, and verified each time."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from s1ctl import files
from s1ctl.errors import ContentsRefused, InputOutputFailed, NoPath, NotVerified, Withdrawn
from s1ctl.ledger import store as store_module
from s1ctl.ledger.store import ReleaseStore, open_recorded, open_release
from s1ctl.oci.digest import Digest
from s1ctl.release.verified import header_json
from s1ctl.shape import changed
from s1ctl.trust.root import Trust, make_root, sign_root, walk_chain
from tests.support.bundles import Parts, Vendor, make_header, make_parts, make_vendor


@pytest.fixture(scope="module")
def vendor() -> Vendor:
    return make_vendor()


@pytest.fixture(scope="module")
def parts() -> Parts:
    return make_parts(layer_bytes=100)


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path / "releases")


def put(store: ReleaseStore, parts: Parts, vendor: Vendor) -> Digest:
    header = make_header(parts, vendor)
    small = [b.digest for b in parts.manifest.blobs if b.kind not in ("oci-layer", "oci-config")]
    store.put(header.identity, header_json(header), [(d, parts.blobs[d]) for d in small])
    return header.identity


def test_a_stored_release_is_opened_verified(
    store: ReleaseStore, parts: Parts, vendor: Vendor
) -> None:
    release = put(store, parts, vendor)
    opened = open_release(release, store, vendor.trust)
    assert (opened.digest, opened.manifest) == (release, parts.manifest)
    assert opened.signers == (vendor.release_keys[0].public.fingerprint,)
    assert opened.small(parts.manifest.compose) == parts.blobs[parts.manifest.compose]


def test_an_empty_store_has_nothing(store: ReleaseStore) -> None:
    assert store.digests() == ()
    assert not store.has(Digest.of(b""))
    store.remove(Digest.of(b""))


def test_a_release_that_is_not_loaded_is_named(store: ReleaseStore, vendor: Vendor) -> None:
    with pytest.raises(NoPath) as caught:
        open_release(Digest.of(b""), store, vendor.trust)
    assert caught.value.code == "S1-N80"
    assert Digest.of(b"") in caught.value.message


def test_a_changed_header_is_refused(
    store: ReleaseStore, parts: Parts, vendor: Vendor, tmp_path: Path
) -> None:
    release = put(store, parts, vendor)
    other = header_json(make_header(parts, make_vendor()))
    (tmp_path / "releases" / release.hex / "header.json").write_bytes(other)
    with pytest.raises(NotVerified):
        open_release(release, store, vendor.trust)


def test_a_release_in_the_place_of_another_is_refused(
    store: ReleaseStore, parts: Parts, vendor: Vendor, tmp_path: Path
) -> None:
    release = put(store, parts, vendor)
    wrong = Digest.of(b"wrong")
    shutil.copytree(tmp_path / "releases" / release.hex, tmp_path / "releases" / wrong.hex)
    with pytest.raises(ContentsRefused) as caught:
        open_release(wrong, store, vendor.trust)
    assert caught.value.code == "S1-C80"


def test_a_release_withdrawn_since_it_was_loaded_is_refused(
    store: ReleaseStore, parts: Parts
) -> None:
    stern = make_vendor(floor=101)
    release = put(store, parts, stern)
    with pytest.raises(Withdrawn):
        open_release(release, store, stern.trust)


def newer(vendor: Vendor, **changes: object) -> Trust:
    """Trust the vendor's second root, as a site does that has loaded a newer release."""
    second = sign_root(changed(vendor.document, version=2, **changes), vendor.root_keys)
    return replace(vendor.trust, root=walk_chain(vendor.trust.root, [second]))


def test_a_release_withdrawn_since_it_was_loaded_can_still_be_left(
    store: ReleaseStore, parts: Parts, vendor: Vendor
) -> None:
    release = put(store, parts, vendor)
    other = make_vendor().release_keys[0].public
    document = make_root(product="p", root_keys=[vendor.root_keys[0].public], release_keys=[other])
    dropped = {"keys": document.keys, "roles": document.roles}
    changes: tuple[dict[str, object], ...] = ({"floor": 101}, {"revoked": (release.hex,)}, dropped)
    for change in changes:
        trust = newer(vendor, **change)
        with pytest.raises((Withdrawn, NotVerified)):
            open_release(release, store, trust)
        assert open_recorded(release, store, trust).digest == release


def test_a_recorded_release_is_verified_too(
    store: ReleaseStore, parts: Parts, vendor: Vendor, tmp_path: Path
) -> None:
    release = put(store, parts, vendor)
    forged = make_header(parts, vendor, keys=make_vendor().release_keys)
    (tmp_path / "releases" / release.hex / "header.json").write_bytes(header_json(forged))
    with pytest.raises(NotVerified):
        open_recorded(release, store, newer(vendor))


def test_a_changed_blob_is_refused_each_time(
    store: ReleaseStore, parts: Parts, vendor: Vendor, tmp_path: Path
) -> None:
    release = put(store, parts, vendor)
    opened = open_release(release, store, vendor.trust)
    place = tmp_path / "releases" / release.hex / "blobs" / parts.manifest.compose.hex
    place.write_bytes(place.read_bytes() + b" ")
    with pytest.raises(ContentsRefused) as caught:
        opened.small(parts.manifest.compose)
    assert caught.value.code == "S1-C80"
    place.unlink()
    with pytest.raises(ContentsRefused) as caught:
        opened.small(parts.manifest.compose)
    assert caught.value.code == "S1-C80"


def test_a_blob_that_is_not_what_its_digest_says_is_not_stored(store: ReleaseStore) -> None:
    with pytest.raises(ContentsRefused) as caught:
        store.put(Digest.of(b"r"), b"{}", [(Digest.of(b"a"), b"a"), (Digest.of(b"b"), b"c")])
    assert caught.value.code == "S1-C80"
    assert store.digests() == ()


def test_storing_again_mends_a_damaged_release(
    store: ReleaseStore, parts: Parts, vendor: Vendor, tmp_path: Path
) -> None:
    release = put(store, parts, vendor)
    place = tmp_path / "releases" / release.hex / "blobs" / parts.manifest.compose.hex
    place.write_bytes(b"")
    assert put(store, parts, vendor) == release
    opened = open_release(release, store, vendor.trust)
    assert opened.small(parts.manifest.compose) == parts.blobs[parts.manifest.compose]


@pytest.mark.parametrize("cut", range(4))
def test_a_failure_while_storing_leaves_no_release(
    store: ReleaseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    written = []

    def write(path: Path, raw: bytes, *, mode: int) -> None:
        written.append(path)
        if len(written) > cut:
            raise OSError(28, "No space left on device")
        files.write_file(path, raw, mode=mode)

    monkeypatch.setattr(store_module, "write_file", write)
    blobs = [(Digest.of(raw), raw) for raw in (b"1", b"2", b"3")]
    with pytest.raises(InputOutputFailed) as caught:
        store.put(Digest.of(b"r"), b"{}", blobs)
    assert caught.value.code == "S1-I30"
    assert list((tmp_path / "releases").iterdir()) == []


def test_what_a_crash_left_is_no_release_and_is_removed(
    store: ReleaseStore, tmp_path: Path
) -> None:
    release = Digest.of(b"r")
    for left in (release, Digest.of(b"another")):
        folder = tmp_path / "releases" / f".{left.hex}.tmp"
        (folder / "blobs").mkdir(parents=True)
        (folder / "header.json").write_bytes(b"{}")
    assert not store.has(release)
    assert store.digests() == ()
    store.put(release, b"{}", [])
    assert store.digests() == (release,)
    assert [path.name for path in (tmp_path / "releases").iterdir()] == [release.hex]


def test_of_temporary_folders_only_those_of_ended_processes_are_removed(
    store: ReleaseStore, tmp_path: Path
) -> None:
    release = Digest.of(b"r")
    ended = subprocess.Popen(["true"])
    ended.wait()
    left, living = (
        tmp_path / "releases" / f".{release.hex}.{pid}.0badcafe.tmp"
        for pid in (ended.pid, os.getppid())
    )
    for folder in (left, living):
        folder.mkdir(parents=True)
    store.put(release, b"{}", [])
    assert (left.exists(), living.exists()) == (False, True)


def test_two_that_store_one_release_at_once_both_succeed(
    store: ReleaseStore, tmp_path: Path
) -> None:
    release, blob = Digest.of(b"r"), Digest.of(b"1")

    def meanwhile() -> Iterator[tuple[Digest, bytes]]:
        yield blob, b"1"
        ReleaseStore(tmp_path / "releases").put(release, b"{}", [(blob, b"1")])

    store.put(release, b"{}", meanwhile())
    assert store.open_small(release, blob) == b"1"
    assert [path.name for path in (tmp_path / "releases").iterdir()] == [release.hex]


def test_a_release_that_lost_a_blob_while_it_was_written_is_not_stored(
    store: ReleaseStore, tmp_path: Path
) -> None:
    def stolen() -> Iterator[tuple[Digest, bytes]]:
        yield Digest.of(b"1"), b"1"
        for path in (tmp_path / "releases").glob(".*/blobs/*"):
            path.unlink()
        yield Digest.of(b"2"), b"2"

    with pytest.raises(InputOutputFailed) as caught:
        store.put(Digest.of(b"r"), b"{}", stolen())
    assert caught.value.code == "S1-I30"
    assert list((tmp_path / "releases").iterdir()) == []


def test_a_removed_release_is_gone_whole(store: ReleaseStore, tmp_path: Path) -> None:
    for name in (b"a", b"b"):
        store.put(Digest.of(name), b"{}", [(Digest.of(name), name)])
    store.remove(Digest.of(b"a"))
    assert store.digests() == (Digest.of(b"b"),)
    assert [path.name for path in (tmp_path / "releases").iterdir()] == [Digest.of(b"b").hex]


def test_a_release_that_lost_its_header_is_not_there_and_is_mended_by_storing_again(
    store: ReleaseStore, tmp_path: Path
) -> None:
    release = Digest.of(b"r")
    store.put(release, b"{}", [(release, b"r")])
    (tmp_path / "releases" / release.hex / "header.json").unlink()
    assert not store.has(release)
    assert store.digests() == ()
    store.put(release, b"{}", [(release, b"r")])
    assert store.header(release) == b"{}"


def test_a_store_that_cannot_be_used_is_told(store: ReleaseStore, tmp_path: Path) -> None:
    (tmp_path / "releases").write_text("")
    with pytest.raises(InputOutputFailed) as caught:
        store.put(Digest.of(b"r"), b"{}", [])
    assert caught.value.code == "S1-I30"


def test_a_blob_that_cannot_be_read_is_told(
    store: ReleaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = Digest.of(b"r")
    store.put(release, b"{}", [(release, b"r")])

    def fail(_: Path) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "read_bytes", fail)
    for read in (lambda: store.open_small(release, release), lambda: store.header(release)):
        with pytest.raises(InputOutputFailed) as caught:
            read()
        assert caught.value.code == "S1-I31"
