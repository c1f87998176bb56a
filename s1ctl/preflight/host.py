"""The host: memory, disks, and who listens on the ports that the platform needs."""

import os
from pathlib import Path
from typing import Any

from s1ctl.preflight.check import Check, Values
from s1ctl.preflight.collect import Collector
from s1ctl.preflight.finding import Fix, Judgement, Required, failed, passed, skipped
from s1ctl.preflight.needs import Needs
from s1ctl.site.facts import Fact

FIRMWARE = 0.93  # of the memory that was bought, this much at least arrives in MemTotal
SPARE = 1.1  # ten per cent more than is needed must be free
LISTEN = "0A"
MIB = 1 << 20
MEMORY_FIX = Fix(command="ps aux --sort=-rss | head", where="this host", safe=True)


def collectors(folders: tuple[str, ...]) -> dict[str, Collector]:
    """List what is read of this host; `folders` are those that will be written to."""
    return {
        "host.memory": _memory,
        "host.disks": lambda: _disks(folders),
        "host.listeners": _listeners,
    }


def _memory() -> Fact:
    lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    found = {name: int(rest.split()[0]) * 1024 for name, rest in (x.split(":") for x in lines)}
    value = {"total": found["MemTotal"], "available": found["MemAvailable"]}
    return Fact(value=value, unit="bytes", source="/proc/meminfo")


def _disks(folders: tuple[str, ...]) -> Fact:
    """Measure the file system of each folder, or of its nearest parent that exists."""
    disks = {}
    for folder in folders:
        place = Path(folder)
        while not place.exists():
            place = place.parent
        usage = os.statvfs(place)
        disks[folder] = {
            "device": place.stat().st_dev,
            "free": usage.f_bavail * usage.f_frsize,
            "total": usage.f_blocks * usage.f_frsize,
        }
    return Fact(value=disks, unit="bytes", source="statvfs")


def _listeners() -> Fact:
    """Read which TCP ports are listened on, with the process that does."""
    inodes: dict[str, int] = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        path = Path(table)
        for line in path.read_text("ascii").splitlines()[1:] if path.exists() else ():
            fields = line.split()
            if fields[3] == LISTEN:
                inodes[fields[9]] = int(fields[1].rsplit(":", 1)[1], 16)
    owners = _owners(set(inodes))
    value = sorted([port, owners.get(inode, "")] for inode, port in inodes.items())
    return Fact(value=value, source="/proc/net/tcp, /proc/*/fd")


def _owners(inodes: set[str]) -> dict[str, str]:
    owners: dict[str, str] = {}
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            for link in (process / "fd").iterdir():
                inode = str(link.readlink()).removeprefix("socket:[").rstrip("]")
                if inode in inodes:
                    owners[inode] = _owner(process)
        except OSError:
            continue  # it ended meanwhile, or is not ours to look into
    return owners


def _owner(process: Path) -> str:
    name = (process / "comm").read_text("utf-8", "replace").strip()
    group = (process / "cgroup").read_text("utf-8", "replace")
    container = next((p for p in group.replace("\n", "/").split("/") if len(p) == 64), "")
    return f"{name} (pid {process.name}{', container ' + container[:12] if container else ''})"


def judge_memory(values: Values, needs: Needs) -> Judgement:
    """Judge the memory that the host has against what the release asks for."""
    memory: Any = values["host.memory"]
    text = f"{memory['total'] // MIB:,} MiB, of which {memory['available'] // MIB:,} are available"
    required = Required(op=">=", value=needs.memory_bytes, unit="bytes", source=needs.source)
    if memory["total"] < needs.memory_bytes * FIRMWARE:
        return failed(
            text, "Give the host more memory.", value=memory, required=required, fix=MEMORY_FIX
        )
    if memory["total"] < needs.memory_bytes or memory["available"] < memory["total"] // 4:
        return failed(
            text, "Look at what else runs here.", value=memory, required=required, fix=MEMORY_FIX,
            outcome="warn",
        )  # fmt: skip
    return passed(text, value=memory["total"], unit="bytes")


def judge_disks(values: Values, needs: Needs) -> Judgement:
    """Judge each file system against the sum of what will be written to it."""
    disks: Any = values["host.disks"]
    wanted: dict[int, int] = {}
    for folder, size in needs.disk_bytes.items():
        device = disks[folder]["device"]
        wanted[device] = wanted.get(device, 0) + size
    for folder, disk in disks.items():
        need = int(wanted.get(disk["device"], 0) * SPARE)
        text = f"{folder}: {disk['free'] // MIB:,} MiB free, {need // MIB:,} MiB needed"
        if disk["free"] < need:
            return failed(
                text,
                "Free space there, or move it to a larger disk.",
                value=disk["free"],
                unit="bytes",
                required=Required(op=">=", value=need, unit="bytes", source=needs.source),
                fix=Fix(command=f"df -h {folder}", where="this host", safe=True),
            )
    return passed("; ".join(f"{f}: {d['free'] // MIB:,} MiB free" for f, d in disks.items()))


def judge_ports(values: Values, needs: Needs) -> Judgement:
    """Judge whether a stranger listens on an edge's port; the platform itself may."""
    if not needs.ports:
        return skipped("the release binds no port of this host")
    if needs.is_installed:
        return skipped("the installed edge holds its ports itself")
    listeners: Any = values["host.listeners"]
    for port, owner in listeners:
        if port in needs.ports:
            return failed(
                f"port {port} is held by {owner or 'a process that cannot be seen'}",
                "End it, or give the platform another port in the site file's `values`.",
                value=port,
                required=Required(op="is", value="free", source=needs.source),
                fix=Fix(command=f"ss -ltnp sport = :{port}", where="this host", safe=True),
            )
    return passed(f"free: {', '.join(map(str, needs.ports))}")


CHECKS = (
    Check(
        id="host.disk-space",
        title="every disk has room for what will be written to it",
        why="A full disk stops databases and engine in the middle of their work.",
        severity="blocking",
        facts=("host.disks",),
        judge=judge_disks,
        is_waivable=False,
    ),
    Check(
        id="host.memory",
        title="the host has the memory that the release needs",
        why="Where memory runs out, the kernel kills services under load.",
        severity="blocking",
        facts=("host.memory",),
        judge=judge_memory,
    ),
    Check(
        id="net.ports",
        title="the platform's ports are free",
        why="The edge cannot start on a port that another process holds.",
        severity="blocking",
        facts=("host.listeners",),
        judge=judge_ports,
    ),
)
