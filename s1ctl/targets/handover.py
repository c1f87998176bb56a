"""Connections that wait at an edge's port are handed to the new edge when the old one ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SWITCH = Path("/proc/sys/net/ipv4/tcp_migrate_req")


@contextmanager
def handing_over(switch: Path = SWITCH) -> Iterator[bool]:
    """Have the kernel hand over what waits in a closing listener's queue; yield whether it will.

    Without it those connections are reset, which a busy host shows (Linux documentation,
    ip-sysctl, `tcp_migrate_req`, since 5.14). What was set before is set again; a kill leaves it
    switched on, which is harmless. Where it is missing or may not be set nothing is done.
    """
    try:
        former = switch.read_text("ascii")
        if former.strip() == "0":
            switch.write_text("1\n", "ascii")
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        if former.strip() == "0":
            switch.write_text(former, "ascii")
