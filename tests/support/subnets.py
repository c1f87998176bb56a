"""Subnets for the sites of tests: no two of this machine have the same at one time."""

import fcntl
import os
import tempfile
from pathlib import Path

COUNT = 256
_held: dict[str, int] = {}


def take_subnet(site: str) -> str:
    """Take the first of 256 subnets that no other process holds; it is ours until it is freed."""
    folder = Path(tempfile.gettempdir()) / "s1ctl-subnets"
    folder.mkdir(exist_ok=True)
    start = os.getpid() % COUNT
    for number in (*range(start, COUNT), *range(start)):
        descriptor = os.open(folder / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        _held[site] = descriptor
        return f"10.213.{number}.0/24"
    raise RuntimeError("all subnets of tests are taken")


def free_subnet(site: str) -> None:
    """Let another site have the subnet; nothing happens where none was taken."""
    descriptor = _held.pop(site, None)
    if descriptor is not None:
        os.close(descriptor)
