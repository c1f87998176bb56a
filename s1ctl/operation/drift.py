"""Drift: where the engine and the edges are not as the ledger recorded them. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from s1ctl.plan.steps import Instance, Placement
from s1ctl.release.manifest import Role
from s1ctl.targets.docker_running import Running, runs

Kind = Literal[
    "missing",
    "stopped",
    "unhealthy",
    "other-release",
    "other-image",
    "stranger",
    "edge",
    "older-ledger",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One difference: what is, and what to do."""

    kind: Kind
    name: str
    text: str
    todo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A unit as it was installed; `image` and `role` are None where its release is not readable."""

    instance: Instance
    image: str | None = None
    role: Role | None = None
    has_health: bool = False


def find_drift(
    recorded: Sequence[Recorded],
    running: Sequence[Running],
    upstreams: Mapping[str, Sequence[str]],
) -> tuple[Drift, ...]:
    """Compare what is recorded with what is.

    Containers that are stopped and not recorded are no drift: a hop that failed keeps its own until
    the next release is recorded.
    """
    found = {each.container: each for each in running}
    named = {p.container for one in recorded for p in one.instance.placements}
    return (
        *(drift for one in recorded for drift in _units(one, found)),
        *(_stranger(each) for each in running if each.container not in named and runs(each)),
        *(drift for one in recorded for drift in _edges(one, upstreams)),
    )


def find_older_ledger(
    running: Sequence[Running], is_known: Callable[[str], bool], newest: str
) -> Iterator[Drift]:
    """Tell that containers were made by operations which the ledger does not have: it is older."""
    made_by = {each.operation: each for each in running if each.operation}
    unknown = [name for name in made_by if not is_known(name)]
    if unknown:
        each = made_by[unknown[-1]]
        yield Drift(
            kind="older-ledger",
            name=each.operation,
            text=f"`{each.container}` ({each.version}) was made by operation {each.operation}, and"
            f" the newest in this ledger is {newest or 'none'}: the ledger is a copy from before,"
            " or it lost its end",
            todo="bring back the newest `ledger.db` with its `-wal`, then `s1ctl status`",
        )


def _units(one: Recorded, found: Mapping[str, Running]) -> Iterator[Drift]:
    for placement in one.instance.placements:
        running = found.get(placement.container)
        drift = _container(one, placement, running) if running else _missing(one, placement)
        if drift is not None:
            yield drift


def _missing(one: Recorded, placement: Placement) -> Drift:
    return Drift(
        kind="missing",
        name=placement.container,
        text=f"container `{placement.container}` of {one.instance.unit} is gone",
        todo="have it made anew: `s1ctl apply`",
    )


def _container(one: Recorded, placement: Placement, running: Running) -> Drift | None:
    name, instance = placement.container, one.instance
    if running.release != instance.release or running.settings != instance.fingerprint:
        return Drift(
            kind="other-release",
            name=name,
            text=f"`{name}` is of {running.version}, made from other settings or another release"
            f" than the recorded {instance.version}",
            todo=f"find out who made it: `docker inspect {name}`, then `s1ctl history`",
        )
    if one.image is not None and _digest(running.image) != _digest(one.image):
        return Drift(
            kind="other-image",
            name=name,
            text=f"`{name}` runs image `{running.image}`, not `{one.image}`",
            todo=f"find out who made it: `docker inspect {name}`",
        )
    return _state(name, running)


def _state(name: str, running: Running) -> Drift | None:
    if not runs(running):
        return Drift(
            kind="stopped",
            name=name,
            text=f"`{name}` is not running: {running.state}",
            todo=f"read why: `docker logs --tail 20 {name}`; have it run again: `s1ctl apply`",
        )
    if running.health == "unhealthy":
        return Drift(
            kind="unhealthy",
            name=name,
            text=f"`{name}` says that it is not healthy",
            todo=f"read why: `docker logs --tail 20 {name}`",
        )
    return None


def _stranger(running: Running) -> Drift:
    name = running.container
    return Drift(
        kind="stranger",
        name=name,
        text=f"`{name}` runs as {running.unit} {running.version} of this site, and is not recorded",
        todo=f"find out who started it, then `docker stop {name}`",
    )


def _edges(one: Recorded, upstreams: Mapping[str, Sequence[str]]) -> Iterator[Drift]:
    """Compare the addresses of an app, without ports, with the file that tells the edges."""
    unit = one.instance.unit
    addresses = sorted(p.address for p in one.instance.placements if p.address)
    if one.role != "app" or not one.has_health or not addresses:
        return
    told = sorted(server.rpartition(":")[0] for server in upstreams.get(unit, ()))
    if told != addresses:
        yield Drift(
            kind="edge",
            name=unit,
            text=f"edges are told to send {unit} to {', '.join(told) or 'nobody'},"
            f" and it is recorded at {', '.join(addresses)}",
            todo=f"correct `{unit}.conf` below `edge/` in the state directory, then"
            " `docker kill -s HUP` the edge",
        )


def _digest(reference: str) -> str:
    """Take the digest: a registry that moved serves the same image by another name."""
    return reference.rpartition("@")[2]
