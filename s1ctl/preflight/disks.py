"""The disks: room for images, dumps and their proof, and the inodes for their files."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s1ctl.errors import S1Error
from s1ctl.preflight.check import Check, Values
from s1ctl.preflight.collect import Collector
from s1ctl.preflight.finding import Fix, Judgement, Required, failed, passed
from s1ctl.preflight.needs import Needs
from s1ctl.preflight.postgresql import Connect
from s1ctl.site.facts import Fact

SPARE = 1.1  # ten per cent more than is needed must be free
MIB = 1 << 20


def collectors(folders: tuple[str, ...], databases: Mapping[str, Connect]) -> dict[str, Collector]:
    """List what is measured: `folders` will be written to, `databases` lie there once more."""
    return {
        "host.disks": lambda: _disks(folders),
        "host.copies": lambda: _sizes(databases),
    }


def measure(folder: str) -> dict[str, int]:
    """Measure the file system of a folder, or of its nearest parent that exists."""
    place = Path(folder)
    while not place.exists():
        place = place.parent
    usage = os.statvfs(place)
    return {
        "device": place.stat().st_dev,
        "free": usage.f_bavail * usage.f_frsize,
        "used": (usage.f_blocks - usage.f_bfree) * usage.f_frsize,
        "inodes_free": usage.f_favail,
        "inodes": usage.f_files,
    }


def _disks(folders: tuple[str, ...]) -> Fact:
    value = {folder: measure(folder) for folder in folders}
    return Fact(value=value, unit="bytes", source="statvfs")


def _sizes(databases: Mapping[str, Connect]) -> Fact:
    """Ask each database for its size; of one that cannot be asked `pg.connect` says why."""
    value = {name: _size(connect) for name, connect in databases.items()}
    return Fact(value=value, unit="bytes", source="pg_database_size" if databases else "no dump")


def _size(connect: Connect) -> int | None:
    try:
        with connect() as database, database.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            (size,) = cursor.fetchone() or (0,)
            return int(size)
    except S1Error:
        return None


def judge_disks(values: Values, needs: Needs) -> Judgement:
    """Judge each file system against the sum of what will be written to it."""
    disks: Any = values["host.disks"]
    sizes: Any = values["host.copies"]
    wanted: dict[int, int] = {}
    parts: dict[int, list[str]] = {}
    for what, folder, size in _writes(needs, sizes):
        device = disks[folder]["device"]
        wanted[device] = wanted.get(device, 0) + size
        if size:
            parts.setdefault(device, []).append(f"{what} {_mib(size)}")
    for folder, disk in disks.items():
        need = int(wanted.get(disk["device"], 0) * SPARE)
        if disk["free"] < need:
            return failed(
                f"{folder}: {_mib(disk['free'])} free, {_mib(need)} needed "
                f"({', '.join(parts[disk['device']])}; 10 % to spare)",
                "Free space there, or move it to a larger disk.",
                value=disk["free"],
                unit="bytes",
                required=Required(op=">=", value=need, unit="bytes", source=needs.source),
                fix=Fix(command=f"df -h {folder}", where="this host", safe=True),
            )
    seen = [f"{f}: {_room(d, wanted.get(d['device'], 0))}" for f, d in disks.items()]
    unknown = sorted(name for name in needs.copies if sizes.get(name) is None)
    said = [f"without the dump of {', '.join(unknown)}, whose size is not known"] if unknown else []
    return passed("; ".join([*seen, *said]))


def _writes(needs: Needs, sizes: Mapping[str, int | None]) -> list[tuple[str, str, int]]:
    """List what is written, where, and how much: compressed or not, a dump is not larger."""
    asked = [("release", folder, size) for folder, size in needs.disk_bytes.items()]
    copies = [
        (f"copy of {name}", folder, sizes.get(name) or 0)
        for name, folders in needs.copies.items()
        for folder in folders
    ]
    return [*asked, *copies]


def judge_inodes(values: Values, needs: Needs) -> Judgement:
    """Judge each file system by its free inodes; some make them as they need (0 in all)."""
    disks: Any = values["host.disks"]
    wanted: dict[int, int] = {}
    for folder, count in needs.inodes.items():
        device = disks[folder]["device"]
        wanted[device] = wanted.get(device, 0) + count
    for folder, disk in disks.items():
        need = wanted.get(disk["device"], 0)
        if disk["inodes"] and disk["inodes_free"] < need:
            return failed(
                f"{folder}: {disk['inodes_free']:,} inodes free, {need:,} needed",
                "Remove small files there; more inodes come only with a new file system.",
                value=disk["inodes_free"],
                unit="inodes",
                required=Required(op=">=", value=need, unit="inodes", source="s1ctl"),
                fix=Fix(command=f"df -i {folder}", where="this host", safe=True),
            )
    seen = (f"{folder}: {_inodes(disk)}" for folder, disk in disks.items())
    return passed("; ".join(seen))


def _room(disk: Mapping[str, int], need: int) -> str:
    wanted = f", {_mib(int(need * SPARE))} needed" if need else ""
    return f"{_mib(disk['free'])} free{wanted}"


def _inodes(disk: Mapping[str, int]) -> str:
    return f"{disk['inodes_free']:,} free" if disk["inodes"] else "made as needed"


def _mib(size: int) -> str:
    return f"{size // MIB:,} MiB"


CHECKS = (
    Check(
        id="host.disk-space",
        title="every disk has room for what will be written to it",
        why="A full disk stops databases and engine in the middle of their work.",
        severity="blocking",
        facts=("host.disks", "host.copies"),
        judge=judge_disks,
        is_waivable=False,
    ),
    Check(
        id="host.inodes",
        title="every file system has inodes for the files of images and state",
        why="Where they run out nothing can be written, although space is free.",
        severity="blocking",
        facts=("host.disks",),
        judge=judge_inodes,
        is_waivable=False,
    ),
)
