"""The host: memory, and who listens on the ports that the platform needs."""

from pathlib import Path
from typing import Any

from s1ctl.preflight.check import Check, Values
from s1ctl.preflight.collect import Collector
from s1ctl.preflight.finding import (
    Fix,
    Judgement,
    Required,
    failed,
    passed,
    skipped,
    worst_of,
)
from s1ctl.preflight.needs import Needs
from s1ctl.site.facts import Fact

FIRMWARE = 0.93  # of the memory that was bought, this much at least arrives in MemTotal
LISTEN = "0A"
MIB = 1 << 20
MEMORY_FIX = Fix(command="ps aux --sort=-rss | head", where="this host", safe=True)


def collectors() -> dict[str, Collector]:
    """List what is read of this host."""
    return {"host.memory": _memory, "host.listeners": _listeners}


def _memory() -> Fact:
    lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    found = {name: int(rest.split()[0]) * 1024 for name, rest in (x.split(":") for x in lines)}
    value = {"total": found["MemTotal"], "available": found["MemAvailable"]}
    return Fact(value=value, unit="bytes", source="/proc/meminfo")


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
            text, "Give the host more memory.", value=memory, required=required, fix=MEMORY_FIX,
            about=("memory",),
        )  # fmt: skip
    if memory["total"] < needs.memory_bytes or memory["available"] < memory["total"] // 4:
        return failed(
            text, "Look at what else runs here.", value=memory, required=required, fix=MEMORY_FIX,
            outcome="warn", about=("memory",),
        )  # fmt: skip
    return passed(text, value=memory["total"], unit="bytes")


def judge_ports(values: Values, needs: Needs) -> Judgement:
    """Judge whether a stranger listens on an edge's port; the installed edge may on its own."""
    if not needs.ports:
        return skipped("the release binds no port of this host")
    new = [port for port in needs.ports if port not in needs.own_ports]
    own = [port for port in needs.ports if port in needs.own_ports]
    listeners: Any = values["host.listeners"]
    taken = worst_of(_taken(port, owner, needs) for port, owner in listeners if port in new)
    if taken:
        return taken
    seen = (("free", new), ("the installed release's own", own))
    return passed("; ".join(f"{word}: {', '.join(map(str, some))}" for word, some in seen if some))


def _taken(port: int, owner: str, needs: Needs) -> Judgement:
    by = owner or "a process that cannot be seen"
    return failed(
        f"port {port} is held by {by}",
        "End it, or give the platform another port in the site file's `values`.",
        value=port,
        required=Required(op="is", value="free", source=needs.source),
        fix=Fix(command=f"ss -ltnp sport = :{port}", where="this host", safe=True),
        about=(f"port {port}: {by.partition(' (pid ')[0]}",),
    )


CHECKS = (
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
