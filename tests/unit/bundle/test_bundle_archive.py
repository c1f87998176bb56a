"""The container: written once, the same every time, and readable by others."""

import io
import subprocess
import tarfile

import msgspec
import pytest

from s1ctl.bundle.archive import (
    BLOCK,
    INDEX_NAME,
    LAYOUT_JSON,
    LAYOUT_NAME,
    blob_name,
    file_size,
    index_json,
    make_members,
    member_header,
    pad_header,
    write_archive,
)
from s1ctl.errors import ContentsRefused, InputOutputFailed, UsageError
from s1ctl.oci.digest import Digest
from tests.support.bundles import make_parts, make_vendor, write_bundle

VENDOR = make_vendor()
PARTS = make_parts(layer_bytes=5000)
EIGHT_GIB = 8 << 30


def info(name, size):
    made = tarfile.TarInfo(name)
    made.size = size
    return made


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 65536, EIGHT_GIB - 1])
def test_a_member_header_is_that_of_tarfile(size):
    name = blob_name(Digest.of(b"x"))
    assert member_header(name, size) == info(name, size).tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize("size", [EIGHT_GIB, 60 << 30, 2**53 - 1])
def test_a_size_that_octal_cannot_hold_is_in_base_256(size):
    name = blob_name(Digest.of(b"x"))
    header = member_header(name, size)
    assert header[124:136] == info(name, size).tobuf(tarfile.GNU_FORMAT)[124:136]
    found = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
    assert (found.name, found.size) == (name, size)


def test_gnu_tar_lists_a_member_over_8_gib(tmp_path):
    size = EIGHT_GIB + 1
    with (tmp_path / "big.tar").open("wb") as file:
        file.write(member_header("big", size))
        file.truncate(BLOCK + size + 511 + 1024)
    command = ["tar", "--numeric-owner", "--utc", "-tvf", "big.tar"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["-rw-r--r--", "0/0", str(size), "1970-01-01", "00:00", "big"]


def test_gnu_tar_lists_what_was_written(tmp_path):
    path = write_bundle(tmp_path / "a.bundle", PARTS, VENDOR)
    done = subprocess.run(
        ["tar", "-tf", path], capture_output=True, text=True, timeout=60, check=True
    )
    members = make_members(64 << 10, PARTS.manifest)
    assert done.stdout.split() == [member.name for member in members]
    assert done.stderr == ""


def test_every_member_lies_where_it_is_computed(tmp_path):
    path = write_bundle(tmp_path / "a.bundle", PARTS, VENDOR)
    raw = path.read_bytes()
    members = make_members(64 << 10, PARTS.manifest)
    with tarfile.open(path) as archive:
        found = [(i.name, i.offset_data, i.size) for i in archive]
    assert found == [(m.name, m.offset, m.size) for m in members]
    assert len(raw) == file_size(members)
    for member, blob in zip(members[3:], PARTS.manifest.blobs, strict=True):
        assert Digest.of(raw[member.offset : member.offset + member.size]) == blob.digest
    assert [member.name for member in members[1:3]] == [LAYOUT_NAME, INDEX_NAME]
    assert LAYOUT_JSON in raw


def test_the_same_release_gives_the_same_bytes(tmp_path):
    one = write_bundle(tmp_path / "one.bundle", PARTS, VENDOR)
    two = write_bundle(tmp_path / "two.bundle", make_parts(layer_bytes=5000), VENDOR)
    assert one.read_bytes() == two.read_bytes()


def test_the_index_names_every_image_and_its_version():
    index = msgspec.json.decode(index_json(PARTS.manifest))
    names = [
        entry["annotations"]["org.opencontainers.image.ref.name"] for entry in index["manifests"]
    ]
    assert names == ["console:1.0.0", "gateway:1.0.0"]


def test_an_image_without_its_blob_is_refused():
    with pytest.raises(ContentsRefused) as caught:
        index_json(PARTS.change(blobs=()).manifest)
    assert caught.value.code == "S1-C05"


def test_headers_are_padded_to_64_kib():
    assert len(pad_header(b"x")) == 64 << 10
    assert len(pad_header(bytes(64 << 10))) == 64 << 10
    assert len(pad_header(bytes((64 << 10) + 1))) == 128 << 10
    assert pad_header(b"x", 128 << 10).strip() == b"x"


@pytest.mark.parametrize(("size", "slot"), [((16 << 20) + 1, None), ((64 << 10) + 1, 64 << 10)])
def test_a_header_without_room_is_refused(size, slot):
    with pytest.raises(UsageError) as caught:
        pad_header(bytes(size), slot)
    assert caught.value.code == "S1-F30"


def write(path, open_blob, header=b"{}"):
    return write_archive(path, header=header, manifest=PARTS.manifest, open_blob=open_blob)


@pytest.mark.parametrize(
    "spoil",
    [lambda raw: raw[:-1], lambda raw: raw + b"\0", lambda _: b"", lambda raw: bytes(len(raw))],
)
def test_a_source_with_other_bytes_is_refused_and_leaves_no_file(tmp_path, spoil):
    last = PARTS.manifest.blobs[-1].digest
    with pytest.raises(ContentsRefused) as caught:
        write(
            tmp_path / "a.bundle",
            lambda digest: [spoil(PARTS.blobs[digest]) if digest == last else PARTS.blobs[digest]],
        )
    assert caught.value.code == "S1-C04"
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_former_bundle(tmp_path):
    path = tmp_path / "a.bundle"
    path.write_bytes(b"former")
    with pytest.raises(KeyboardInterrupt):
        write(path, interrupted)
    assert path.read_bytes() == b"former"
    assert list(tmp_path.iterdir()) == [path]


def interrupted(digest):
    raise KeyboardInterrupt


def test_a_full_disk_is_input_output_that_failed(tmp_path):
    with pytest.raises(InputOutputFailed) as caught:
        write(tmp_path / "no folder" / "a.bundle", lambda digest: [PARTS.blobs[digest]])
    assert caught.value.code == "S1-I02"


def test_blobs_are_streamed_and_told(tmp_path):
    told = []
    size = write_archive(
        tmp_path / "a.bundle",
        header=b"{}",
        manifest=PARTS.manifest,
        open_blob=lambda digest: io.BytesIO(PARTS.blobs[digest]),
        notify=told.append,
    )
    total = sum(blob.size for blob in PARTS.manifest.blobs)
    assert (told[-1].done, told[-1].total) == (total, total)
    assert size == (tmp_path / "a.bundle").stat().st_size
