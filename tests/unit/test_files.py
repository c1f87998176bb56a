"""Files written whole or not at all."""

import errno
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from s1ctl.data import data_folder
from s1ctl.files import write_file, write_new_file

Write = Callable[..., None]


@pytest.fixture(params=[write_file, write_new_file], ids=lambda write: write.__name__)
def write(request: pytest.FixtureRequest) -> Write:
    chosen: Write = request.param
    return chosen


def test_a_file_is_written_with_its_mode_whatever_the_umask(write: Write, tmp_path: Path) -> None:
    former = os.umask(0o077)
    try:
        write(tmp_path / "a", b"x", mode=0o644)
        os.umask(0)
        write(tmp_path / "b", b"x", mode=0o600)
    finally:
        os.umask(former)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"]
    assert modes == [0o644, 0o600]
    assert (tmp_path / "a").read_bytes() == b"x"


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"former")
    with (tmp_path / "a").open("rb") as reader:
        write_file(tmp_path / "a", b"new")
        assert reader.read() == b"former"
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_link_in_the_place_of_the_file_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "a").symlink_to(tmp_path / "target")
    write_file(tmp_path / "a", b"new")
    assert (tmp_path / "target").read_bytes() == b"precious"
    assert not (tmp_path / "a").is_symlink()


def test_a_new_file_is_never_written_over_another(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"former")
    with pytest.raises(FileExistsError):
        write_new_file(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"former"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_of_many_writers_of_a_new_file_one_succeeds(tmp_path: Path) -> None:
    def attempt(number: int) -> bytes | None:
        try:
            write_new_file(tmp_path / "a", b"%d" % number)
        except FileExistsError:
            return None
        return b"%d" % number

    with ThreadPoolExecutor(8) as pool:
        written = [raw for raw in pool.map(attempt, range(16)) if raw]
    assert written == [(tmp_path / "a").read_bytes()]


def test_a_failure_leaves_the_former_file_and_nothing_else(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"former")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"former"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_file_and_folder_are_made_durable(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(stat.S_IFMT(os.fstat(fd).st_mode)))
    write(tmp_path / "a", b"x")
    assert synced == [stat.S_IFREG, stat.S_IFDIR]


def test_a_folder_that_is_not_there_is_told(write: Write, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "b" / "a", b"x")


@pytest.mark.parametrize("name", ["templates/explain", "migrations/ledger/versions"])
def test_our_own_data_is_found(name: str) -> None:
    assert any(data_folder(name).iterdir())
