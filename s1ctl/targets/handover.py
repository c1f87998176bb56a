"""Connections that wait at an edge's port are handed to the new edge when the old one ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SWITCH = Path("/proc/sys/net/ipv4/tcp_migrate_req")


@contextmanager
def handing_over(switch: Path = SWITCH) -> Iterator[bool]:
    """Have the kernel hand over what waits in a closing listener's queue; yield whether it will.

    Without it those connections are reset, which a busy host shows (Linux documentation,
    ip-sysctl, `tcp_migrate_req`, since 5.14). What was set before is set again; a kill leaves it
    switched on, which is harmless. Sites of one host wait for each other here, so that none
    switches it off under another. Where it is missing or may not be set nothing is done.
    """
    try:
        descriptor = os.open(switch, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        former = os.pread(descriptor, 16, 0)
        is_on = _set(descriptor, b"1\n")
        try:
            yield is_on
        finally:
            _set(descriptor, former)
    finally:
        os.close(descriptor)


def _set(descriptor: int, value: bytes) -> bool:
    try:
        os.pwrite(descriptor, value, 0)
    except OSError:
        return False
    return True
