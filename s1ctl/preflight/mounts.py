"""What the state directory lies on: may it be written, run from, and trusted with a ledger."""

import errno
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from s1ctl.preflight.check import Check, Values
from s1ctl.preflight.collect import Collector
from s1ctl.preflight.finding import Fix, Judgement, Required, failed, passed, worst_of
from s1ctl.preflight.needs import Needs
from s1ctl.site.facts import Fact

TABLE = Path("/proc/self/mountinfo")
SCRATCH = Path("/tmp")  # noqa: S108 - what is looked at, nothing is made there
FLAGS = {os.ST_RDONLY: "read-only", os.ST_NOEXEC: "noexec"}
# What SQLite's WAL and locks do not work on, or what forgets owners and modes.
REMOTE = re.compile(
    r"nfs4?|cifs|smb3|smbfs|9p|afs|ceph|lustre|gfs2|ocfs2|fuse\.(?!fuse-overlayfs).*|v?fat|msdos|exfat"
)
PASSING = {"tmpfs", "ramfs"}
PROBE_S = 5.0
TRIES = 5


def collectors(state: Path) -> dict[str, Collector]:
    """List what is looked at below the state directory; a probe there is removed at once."""
    return {"host.mounts": lambda: _mounts(state)}


def _mounts(state: Path) -> Fact:
    place = state
    while not place.exists():
        place = place.parent
    value = {
        "state": str(state),
        "flags": _flags(place),
        "writes": None,
        "runs": None,
        "below": _below(state),
        "scratch": {"place": str(SCRATCH), "flags": _flags(SCRATCH) if SCRATCH.exists() else []},
    }
    if place == state:
        value |= _try(state)
    return Fact(value=value, source=f"statvfs, a probe in {state}, {TABLE}")


def _flags(place: Path) -> list[str]:
    found = os.statvfs(place).f_flag
    return [name for flag, name in FLAGS.items() if found & flag]


def _try(folder: Path) -> dict[str, str | None]:
    """Write a script and run it; say for each why it did not work."""
    try:
        number, name = tempfile.mkstemp(prefix=".probe-", dir=folder)
    except OSError as error:
        return {"writes": _reason(error), "runs": None}
    try:
        with os.fdopen(number, "wb") as script:
            script.write(b"#!/bin/sh\nexit 0\n")
        Path(name).chmod(0o700)
        return {"writes": None, "runs": _run(name)}
    except OSError as error:
        return {"writes": _reason(error), "runs": None}
    finally:
        Path(name).unlink(missing_ok=True)


def _run(name: str) -> str | None:
    """Run the probe; another thread's child may hold it open for a moment (ETXTBSY)."""
    for _ in range(TRIES):
        try:
            done = subprocess.run([name], capture_output=True, timeout=PROBE_S, check=False)
        except subprocess.TimeoutExpired:
            return f"no end within {PROBE_S:g} s"
        except OSError as error:
            if error.errno == errno.ETXTBSY:
                continue
            return _reason(error)
        return f"status {done.returncode}" if done.returncode else None
    return None  # it was written, and only kept busy: nothing against it was seen


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _below(state: Path) -> list[list[str]]:
    """List the file systems that the state directory lies on and has below it (proc(5))."""
    found = []
    for line in TABLE.read_text("utf-8", "surrogateescape").splitlines():
        before, _, after = line.partition(" - ")
        place = Path(re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), before.split()[4]))
        found.append((place, after.split()[0]))
    own = [entry for entry in found if entry[0] in (state, *state.parents)]
    lies_on = max(own, key=lambda entry: len(entry[0].parts), default=None)
    below = [entry for entry in found if state in entry[0].parents]
    shown = [*([lies_on] if lies_on else []), *below]
    return [[ascii(str(place))[1:-1], kind] for place, kind in shown]


def judge_mounts(values: Values, _: Needs) -> Judgement:
    """Judge the state directory by flags and by trial, then by its file systems, then `/tmp`."""
    mounts: Any = values["host.mounts"]
    found = worst_of((*_refusals(mounts), *_warnings(mounts)))
    return found or passed(f"`{mounts['state']}` can be written and run from")


def _refusals(mounts: Any) -> Iterator[Judgement]:
    state, flags = mounts["state"], mounts["flags"]
    if mounts["writes"] or "read-only" in flags:
        reason = mounts["writes"] or "mounted read-only"
        yield _refused(
            f"nothing can be written in `{state}`: {reason}",
            "Mount it for writing; see in the kernel's log whether its disk has failed.",
            f"findmnt -T {state}; dmesg | tail",
            "writable",
        )
    if mounts["runs"] or "noexec" in flags:
        reason = mounts["runs"] or "mounted noexec"
        yield _refused(
            f"nothing can be run from `{state}`: {reason}",
            "Mount it without `noexec`, or move `state_dir` to where programs may run.",
            f"findmnt -T {state}",
            "mounted without noexec",
        )
    for place, kind in mounts["below"]:
        if REMOTE.fullmatch(kind):
            yield _refused(
                f"`{place}` is a {kind} file system, and the state directory `{state}` is on it "
                "or above it",
                "Move `state_dir` to a local disk, such as ext4 or xfs.",
                f"findmnt -T {place}",
                "on a local file system",
            )


def _warnings(mounts: Any) -> Iterator[Judgement]:
    state, scratch = mounts["state"], mounts["scratch"]
    for place, kind in mounts["below"]:
        if kind in PASSING:
            yield _refused(
                f"`{place}` is a {kind}: the state directory `{state}` does not outlive a reboot",
                "Move `state_dir` to a disk: the ledger says what is installed here.",
                f"findmnt -T {place}",
                "on a disk",
                is_warning=True,
            )
    if "noexec" in scratch["flags"]:
        yield _refused(
            f"`{scratch['place']}` is mounted noexec",
            "s1ctl runs nothing from there, but installers and hooks often do; give them another "
            "folder by `TMPDIR`.",
            f"findmnt -T {scratch['place']}",
            "mounted without noexec",
            is_warning=True,
        )


def _refused(
    text: str, advice: str, command: str, wanted: str, *, is_warning: bool = False
) -> Judgement:
    return failed(
        text,
        advice,
        required=Required(op="is", value=wanted, source="s1ctl"),
        fix=Fix(command=command, where="this host", safe=True),
        outcome="warn" if is_warning else "fail",
    )


CHECKS = (
    Check(
        id="host.mounts",
        title="the state directory is on a local disk that can be written and run from",
        why="The ledger, the dumps and the files that containers are lent lie there; on a network "
        "file system its locks and write-ahead log do not hold.",
        severity="blocking",
        facts=("host.mounts",),
        judge=judge_mounts,
    ),
)
