"""A bundle exists only verified; its blobs are proven while they are read."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from s1ctl.bundle.container import CHUNK
from s1ctl.bundle.reader import open_bundle, read_header_unverified
from s1ctl.bundle.show import list_blobs, show_bundle
from s1ctl.errors import ContentsRefused, FormatRefused, InputOutputFailed, NotVerified
from s1ctl.oci.digest import Digest
from tests.support.bundles import make_parts, make_vendor, write_bundle

VENDOR = make_vendor()
PARTS = make_parts(layer_bytes=2 * CHUNK + 7)
LAYER = PARTS.manifest.blobs[-1].digest


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("bundle") / "a.bundle", PARTS, VENDOR)


def test_a_good_bundle_opens(path):
    with open_bundle(path, VENDOR.trust) as bundle:
        assert bundle.release.manifest == PARTS.manifest
        compose = PARTS.manifest.compose
        assert bundle.release.small(compose) == PARTS.blobs[compose]
        assert bundle.release.header.startswith(b'{"format":1,')


def test_an_image_for_several_platforms_opens(tmp_path):
    parts = make_parts(layer_bytes=10, is_multi_platform=True)
    path = write_bundle(tmp_path / "a.bundle", parts, VENDOR)
    with open_bundle(path, VENDOR.trust) as bundle:
        assert bundle.release.manifest.images[0].platforms == ("linux/amd64", "linux/arm64")


def test_every_blob_is_streamed_as_it_was(path):
    with open_bundle(path, VENDOR.trust) as bundle:
        for digest, raw in PARTS.blobs.items():
            chunks = list(bundle.stream(digest))
            assert b"".join(chunks) == raw
            assert max(map(len, chunks)) <= CHUNK


def test_threads_share_one_file(path):
    with open_bundle(path, VENDOR.trust) as bundle, ThreadPoolExecutor(4) as pool:
        digests = list(PARTS.blobs) * 4
        found = pool.map(lambda digest: Digest.of(b"".join(bundle.stream(digest))), digests)
        assert list(found) == digests


def test_a_blob_that_is_not_there_is_refused(path):
    with open_bundle(path, VENDOR.trust) as bundle, pytest.raises(ContentsRefused) as caught:
        bundle.stream(Digest.of(b"stranger"))
    assert caught.value.code == "S1-C01"


def test_bytes_that_lie_never_reach_the_reader_whole(tmp_path):
    path = write_bundle(tmp_path / "a.bundle", PARTS, VENDOR)
    raw = bytearray(path.read_bytes())
    raw[-3000] ^= 1
    path.write_bytes(raw)
    seen = []
    with open_bundle(path, VENDOR.trust) as bundle, pytest.raises(ContentsRefused) as caught:
        seen.extend(bundle.stream(LAYER))
    assert caught.value.code == "S1-C10"
    assert sum(map(len, seen)) < 2 * CHUNK + 7


def test_a_truncated_bundle_is_refused_at_every_length(tmp_path):
    small = make_parts(images=("console",), layer_bytes=600)
    path = write_bundle(tmp_path / "a.bundle", small, VENDOR)
    raw = path.read_bytes()
    lengths = {0, 1, 14, 15, 511, 512, 513, *range(1000, len(raw), 1499), len(raw) - 1}
    for length in sorted(lengths):
        path.write_bytes(raw[:length])
        with pytest.raises(FormatRefused) as caught:
            open_bundle(path, VENDOR.trust)
        assert caught.value.code == "S1-F10", length


def test_bytes_appended_are_refused(tmp_path):
    path = write_bundle(tmp_path / "a.bundle", make_parts(layer_bytes=10), VENDOR)
    raw = path.read_bytes()
    for more in (b"\0", b"x", bytes(512), bytes(10240), raw):
        path.write_bytes(raw + more)
        with pytest.raises(FormatRefused) as caught:
            open_bundle(path, VENDOR.trust)
        assert caught.value.code == "S1-F11"


def test_a_read_error_is_never_called_tampering(path, monkeypatch):
    with open_bundle(path, VENDOR.trust) as bundle:

        def fail(*_):
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(os, "pread", fail)
        with pytest.raises(InputOutputFailed) as caught:
            list(bundle.stream(LAYER))
    assert caught.value.code == "S1-I03"


def test_short_reads_are_read_on(path, monkeypatch):
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, at: pread(fd, min(size, 40_000), at))
    with open_bundle(path, VENDOR.trust) as bundle:
        assert b"".join(bundle.stream(LAYER)) == PARTS.blobs[LAYER]


def test_a_missing_file_is_input_that_failed(tmp_path):
    with pytest.raises(InputOutputFailed) as caught:
        open_bundle(tmp_path / "a.bundle", VENDOR.trust)
    assert caught.value.code == "S1-I01"


def test_a_refused_file_is_closed(tmp_path):
    path = write_bundle(tmp_path / "a.bundle", make_parts(layer_bytes=10), make_vendor())
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(NotVerified):
            open_bundle(path, VENDOR.trust)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_bundle_is_read_from_media_that_nobody_can_write(tmp_path):
    path = write_bundle(tmp_path / "a.bundle", make_parts(layer_bytes=10), VENDOR)
    path.chmod(stat.S_IRUSR)
    with open_bundle(path, VENDOR.trust):
        pass


def test_opening_holds_no_layer_in_memory(tmp_path):
    import tracemalloc

    path = write_bundle(tmp_path / "a.bundle", make_parts(layer_bytes=8 * CHUNK), VENDOR)
    tracemalloc.start()
    try:
        with open_bundle(path, VENDOR.trust) as bundle:
            for blob in bundle.release.manifest.blobs:
                for _ in bundle.stream(blob.digest):
                    pass
        assert tracemalloc.get_traced_memory()[1] < 4 * CHUNK
    finally:
        tracemalloc.stop()


def test_a_header_can_be_read_unverified(path):
    found = read_header_unverified(path)
    assert found.manifest == PARTS.manifest
    assert found.slot_size == 64 << 10


def test_show_says_whether_it_is_verified(path):
    unverified, verified = show_bundle(path, None), show_bundle(path, VENDOR.trust)
    assert (unverified["verified"], unverified["signers"]) == (False, [])
    assert verified["verified"] is True
    assert verified["signers"] == [VENDOR.release_keys[0].public.fingerprint]
    assert verified["release"] == unverified["release"]
    assert verified["blobs"]["oci-layer"]["count"] == 3
    assert [image["name"] for image in verified["images"]] == ["console", "gateway"]


def test_show_refuses_what_is_not_trusted(path):
    for show in (show_bundle, list_blobs):
        with pytest.raises(NotVerified):
            show(path, make_vendor().trust)


def test_blobs_are_listed_in_order(path):
    listed = list_blobs(path, None)
    assert [blob["digest"] for blob in listed["blobs"]] == [b.digest for b in PARTS.manifest.blobs]
    assert listed["verified"] is False
    assert list_blobs(path, VENDOR.trust)["verified"] is True
