"""Files written whole or not at all."""

import os
from pathlib import Path


def write_file(path: Path, raw: bytes, *, mode: int = 0o644) -> None:
    """Write `raw` to a temporary neighbour, fsync it, and put it in the place of `path`. Atomic.

    A crash leaves the former file, and at most a neighbour that ends in `.tmp`. Raises `OSError`.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
        with open(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
