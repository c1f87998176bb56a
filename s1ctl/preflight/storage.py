"""How the engine stores images and containers, and where."""

from typing import Any

from s1ctl.preflight.check import Check, Values
from s1ctl.preflight.finding import Fix, Judgement, Required, failed, passed
from s1ctl.preflight.needs import Needs

REFUSED = {
    "vfs": "it copies every layer whole for every container",
    "devicemapper": "engines since 25 have it no more, and its loop files lose data",
}
DOUBTFUL = ("zfs", "btrfs", "aufs", "overlay")
FULL = 0.8  # of a disk that is used more, little is left when images are pulled
MIB = 1 << 20
FIX = Fix(
    command="docker info --format '{{.Driver}} {{.DockerRootDir}}'", where="this host", safe=True
)


def judge_storage(values: Values, _: Needs) -> Judgement:
    """Judge the storage driver, then whether its folder is on a disk of this host with room."""
    info: Any = values["engine.info"]
    driver, root, disk = info["driver"], info["root"], info["disk"]
    text = f"{driver or 'no driver'} in {root or 'no folder'}"
    required = Required(op="is", value="overlay2", source="s1ctl")
    if driver in REFUSED:
        return failed(
            f"{text}: {REFUSED[driver]}",
            "Set `storage-driver` to overlay2 in /etc/docker/daemon.json: images and containers "
            "made with the former are not seen any more.",
            value=driver,
            required=required,
            fix=FIX,
        )
    if driver in DOUBTFUL:
        return failed(
            f"{text}: it works, and is tried less",
            "Prefer overlay2 on ext4 or xfs.",
            value=driver,
            required=required,
            fix=FIX,
            outcome="warn",
        )
    if disk is None:
        return failed(
            f"{text}, which this host does not have: its space cannot be seen",
            "Run s1ctl on the engine's own host, outside of containers.",
            value=root,
            fix=FIX,
            outcome="warn",
        )
    return _judge_room(text, root, disk)


def _judge_room(text: str, root: str, disk: dict[str, int]) -> Judgement:
    used = disk["used"] / max(1, disk["used"] + disk["free"])  # as `df` says it
    said = f"{text}, {disk['free'] // MIB:,} MiB free, {used:.0%} used"
    if used > FULL:
        return failed(
            said,
            "Remove images that nobody uses: `s1ctl prune` for those of old releases.",
            value=round(used, 2),
            about=(f"space in {root}",),
            required=Required(op="<=", value=FULL, source="s1ctl"),
            fix=Fix(command=f"docker system df; df -h {root}", where="this host", safe=True),
            outcome="warn",
        )
    return passed(said)


CHECKS = (
    Check(
        id="engine.storage",
        title="the engine stores images on overlay2, on a disk with room",
        why="Slow or frail storage makes every container slow or frail.",
        severity="blocking",
        facts=("engine.info",),
        judge=judge_storage,
        prerequisites=("engine.reachable",),
    ),
)
