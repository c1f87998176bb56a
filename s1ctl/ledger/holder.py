"""Who holds the lock, and whether that process still lives."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

from s1ctl.shape import Value

PidExists = Callable[[int, int | None], bool]
_STARTED = 19  # of /proc/PID/stat, counted after the name: field 22, `starttime`, in clock ticks


class Holder(Value):
    """A process: `pid_started` and `boot_id` tell it from a later one with the same number."""

    who: str
    host: str
    pid: int
    pid_started: int | None = None
    boot_id: str


def own_holder(who: str) -> Holder:
    """Describe this process; `who` is the operator's name."""
    return Holder(
        who=who,
        host=socket.gethostname(),
        pid=os.getpid(),
        pid_started=_started(os.getpid()),
        boot_id=_boot_id(),
    )


def lives(holder: Holder) -> bool:
    """Say whether a holder's process runs, as seen from this host."""
    return is_alive(holder, host=socket.gethostname(), boot_id=_boot_id(), pid_exists=is_pid_there)


def is_alive(holder: Holder, *, host: str, boot_id: str, pid_exists: PidExists) -> bool:
    """Judge a holder; one on another host counts as alive, since it cannot be looked at."""
    if holder.host != host:
        return True
    return holder.boot_id == boot_id and pid_exists(holder.pid, holder.pid_started)


def is_pid_there(pid: int, started: int | None) -> bool:
    """Say whether the process `pid` that was started at `started` (None: whenever) is there."""
    now = _started(pid)
    return now is not None and started in (None, now)


def _started(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat[stat.rindex(b")") + 1 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[_STARTED])


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
