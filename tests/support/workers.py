"""Look at the worker processes that this process started."""

import os
import time
from pathlib import Path


def worker_pids(parent: int | None = None) -> list[int]:
    """Find the database workers whose parent is this process, or `parent`."""
    wanted = parent or os.getpid()
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _is_worker(entry, wanted)
    ]


def wait_for_worker(parent: int | None = None, timeout_s: float = 20) -> int:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if pids := worker_pids(parent):
            return pids[0]
        time.sleep(0.02)
    raise TimeoutError("no worker came")


def wait_until_gone(pid: int, timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not _is_alive(pid):
            return
        time.sleep(0.05)
    raise TimeoutError(f"{pid} is still there")


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _is_worker(entry: Path, parent: int) -> bool:
    try:
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
        return int(fields[1]) == parent and b"s1ctl.database.worker" in (
            (entry / "cmdline").read_bytes()
        )
    except (FileNotFoundError, ProcessLookupError):
        return False
