"""Files written whole or not at all."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s1ctl.errors import InputOutputFailed


def unreadable(path: Path, error: OSError) -> InputOutputFailed:
    """Make the error for a file that cannot be read, with a hint for its cause."""
    return InputOutputFailed(
        f"`{path}` cannot be read: {error.strerror}", code="S1-I01", hint=_remedy(path, error)
    )


def _remedy(path: Path, error: OSError) -> str:
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return f"check the path: `ls -l {path.absolute().parent}`"
        case errno.EISDIR:
            return "name a file in that folder"
        case errno.EACCES | errno.EPERM:
            return f"check owner and mode: `ls -ld {path.absolute()}`, or run it as its owner"
    return f"check the path and the disk it lies on: `ls -l {path.absolute()}`"


def write_file(path: Path, raw: bytes, *, mode: int = 0o644) -> None:
    """Write `raw` to a temporary neighbour, fsync it, and put it in the place of `path`. Atomic.

    A crash leaves the former file, and at most a neighbour that ends in `.tmp`. Raises `OSError`.
    """
    with _beside(path, raw, mode) as beside:
        beside.replace(path)
    sync_folder(path.parent)


def write_new_file(path: Path, raw: bytes, *, mode: int = 0o644) -> None:
    """Write `raw` to `path` as `write_file` does, but never over a file that is there.

    Of several writers at once one succeeds. Raises `FileExistsError` and any other `OSError`.
    """
    with _beside(path, raw, mode) as beside:
        path.hardlink_to(beside)
        beside.unlink()
    sync_folder(path.parent)


@contextmanager
def _beside(path: Path, raw: bytes, mode: int) -> Iterator[Path]:
    """Write the neighbour; it is removed when what follows fails."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(beside, flags, mode), "wb") as file:
        try:
            os.fchmod(file.fileno(), mode)
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
            yield beside
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
