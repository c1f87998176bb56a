"""Bundles in folders: found by their headers, verified, and nothing else is taken for one."""

import gzip
import os
import shutil
from pathlib import Path

import pytest

from s1ctl.bundle.media import find_bundles, media_folders
from s1ctl.errors import FormatRefused, NotVerified
from tests.support.bundles import make_parts, make_vendor, write_bundle

VENDOR, STRANGER = make_vendor(), make_vendor()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "acme.s1b", make_parts(), VENDOR)
    return tmp_path


def find(*paths: Path):
    warnings: list[str] = []
    return find_bundles(paths, VENDOR.trust, warn=warnings.append), warnings


def test_a_bundle_in_a_folder_is_found_by_its_header(folder: Path) -> None:
    (found,), warnings = find(folder)
    manifest = make_parts().manifest
    assert (found.path, found.product) == (folder / "acme.s1b", manifest.product)
    assert found.version == manifest.version
    assert found.size_bytes == (folder / "acme.s1b").stat().st_size
    assert warnings == []


def test_only_the_header_of_a_bundle_is_read(folder: Path) -> None:
    with (folder / "acme.s1b").open("r+b") as file:
        file.truncate((64 << 10) + 512)
    assert len(find(folder)[0]) == 1


def test_files_that_are_no_bundles_are_passed_over_in_silence(folder: Path) -> None:
    (folder / "readme.txt").write_text("read me " * 100)
    (folder / "empty").touch()
    (folder / "more").mkdir()
    os.mkfifo(folder / "pipe")
    found, warnings = find(folder)
    assert (len(found), warnings) == (1, [])


def test_a_bundle_of_somebody_else_is_passed_over_with_a_warning(folder: Path) -> None:
    write_bundle(folder / "other.s1b", make_parts(), STRANGER)
    found, (warning,) = find(folder)
    assert [item.path.name for item in found] == ["acme.s1b"]
    assert "other.s1b" in warning
    assert "S1-" in warning


def test_a_bundle_that_was_compressed_or_linked_is_passed_over_with_a_warning(folder: Path) -> None:
    raw = (folder / "acme.s1b").read_bytes()
    (folder / "acme.s1b.gz").write_bytes(gzip.compress(raw))
    (folder / "link.s1b").symlink_to(folder / "acme.s1b")
    found, warnings = find(folder)
    assert len(found) == 1
    assert [next(c for c in ("S1-F01", "S1-F03") if c in w) for w in warnings] == [
        "S1-F03",
        "S1-F01",
    ]


def test_a_file_that_is_named_must_be_a_bundle_of_this_site(folder: Path) -> None:
    (folder / "readme.txt").write_text("read me " * 100)
    with pytest.raises(FormatRefused):
        find(folder / "readme.txt")
    write_bundle(folder / "other.s1b", make_parts(), STRANGER)
    with pytest.raises(NotVerified):
        find(folder / "other.s1b")


def test_a_bundle_named_twice_is_found_once(folder: Path) -> None:
    assert len(find(folder, folder / "acme.s1b")[0]) == 1


def test_media_that_are_out_are_no_fault(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "file").touch()
    patterns = (f"{tmp_path}/*/", f"{tmp_path}/none", f"{tmp_path}/file")
    assert media_folders(patterns) == (tmp_path / "disk",)
    shutil.rmtree(tmp_path / "disk")
    assert media_folders(patterns) == ()
