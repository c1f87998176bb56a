"""The host's part: read from /proc and /sys only; no process' arguments, no sweep of /etc."""

import ctypes
import os
import time
from pathlib import Path
from typing import Any

from s1ctl.preflight import host as preflight
from s1ctl.report.support.collect import Scope
from s1ctl.shape import plain

FILES = {
    "os-release": "/etc/os-release",
    "memory": "/proc/meminfo",
    "mounts": "/proc/self/mounts",
    "swaps": "/proc/swaps",
    "load": "/proc/loadavg",
    "uptime": "/proc/uptime",
    "pressure-memory": "/proc/pressure/memory",
    "pressure-io": "/proc/pressure/io",
    "limits": "/proc/self/limits",
    "routes": "/proc/net/route",
    "resolv.conf": "/etc/resolv.conf",
}
SYSCTLS = (
    "kernel.pid_max", "kernel.threads-max", "fs.file-max", "fs.file-nr",
    "fs.inotify.max_user_instances",
    "fs.inotify.max_user_watches", "vm.max_map_count", "vm.overcommit_memory", "vm.swappiness",
    "net.ipv4.ip_forward", "net.ipv4.ip_local_port_range", "net.core.somaxconn",
    "net.bridge.bridge-nf-call-iptables", "net.ipv4.conf.all.rp_filter", "crypto.fips_enabled",
)  # fmt: skip
REMOTE = ("nfs", "nfs4", "cifs", "smb3", "fuse", "9p", "ceph", "autofs")
MOST_BYTES = 1 << 20
LISTENERS = "host.listeners"
TIMEX_BYTES, MAXERROR_AT, STATUS_AT = 256, 24, 40


def collect_host(scope: Scope) -> None:
    """Add what the host is and how full it is."""
    for name, place in FILES.items():
        _add(scope, name, place)
    scope.document("host/system.json", _system())
    scope.attempt("disks", lambda: scope.document("host/disks.json", _disks()))
    scope.document("host/sysctl.json", {name: _sysctl(name) for name in SYSCTLS})
    listeners = preflight.collectors()[LISTENERS]
    scope.attempt(
        "listening sockets",
        lambda: scope.document("host/listeners.json", plain(listeners())),
    )
    scope.attempt("time", lambda: scope.document("host/time.json", _time()))


def _add(scope: Scope, name: str, place: str) -> None:
    scope.attempt(place, lambda: scope.text(f"host/{name}", _read(place)))


def _read(place: str) -> str:
    with Path(place).open("rb") as file:
        return file.read(MOST_BYTES).decode("utf-8", "replace")


def _system() -> dict[str, Any]:
    name = os.uname()
    lines = _read("/proc/cpuinfo").splitlines()
    models = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    return {
        "kernel": name.release,
        "architecture": name.machine,
        "host": name.nodename,
        "cpus": os.cpu_count(),
        "usable_cpus": len(os.sched_getaffinity(0)),
        "cpu_models": sorted(models),
        "user_id": os.geteuid(),
    }


def _disks() -> list[dict[str, Any]]:
    """Measure every local file system; a remote one may hang, and is only named."""
    disks, seen = [], set[str]()
    for line in _read("/proc/self/mounts").splitlines():
        device, place, kind, options, *_ = line.split()
        if device in seen or not (device.startswith("/") or kind in ("tmpfs", "overlay")):
            continue
        seen.add(device if device.startswith("/") else place)
        disk = {"place": place, "kind": kind, "is_read_only": "ro" in options.split(",")}
        disks.append(disk | ({} if kind.startswith(REMOTE) else _fill(place)))
    return disks


def _fill(place: str) -> dict[str, Any]:
    try:
        usage = os.statvfs(place.encode().decode("unicode_escape"))
    except OSError as error:
        return {"error": error.strerror}
    return {
        "bytes": usage.f_blocks * usage.f_frsize,
        "free_bytes": usage.f_bavail * usage.f_frsize,
        "inodes": usage.f_files,
        "free_inodes": usage.f_favail,
    }


def _sysctl(name: str) -> str | None:
    try:
        return _read(f"/proc/sys/{name.replace('.', '/')}").strip()
    except OSError:
        return None


def _time() -> dict[str, Any]:
    """Say how the kernel judges its own clock (adjtimex(2)): 5 is `not synchronised`."""
    buffer = ctypes.create_string_buffer(TIMEX_BYTES)
    state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    return {
        "unix": int(time.time()),
        "zone": list(time.tzname),
        "kernel_state": state,
        "is_synchronised": state not in (-1, 5),
        "max_error_us": int.from_bytes(buffer.raw[MAXERROR_AT : MAXERROR_AT + 8], "little"),
        "status": int.from_bytes(buffer.raw[STATUS_AT : STATUS_AT + 4], "little"),
    }
