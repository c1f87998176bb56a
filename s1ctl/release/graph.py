"""The path of versions: releases as a graph, edges by specifier, required stops."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from s1ctl.errors import NoPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A release on the map: from which versions it may be reached, and whether it is here."""

    version: Version
    sources: SpecifierSet
    is_stop: bool = False
    size_bytes: int = 0
    is_loaded: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One hop of a path, and why it is one."""

    to: Version
    why: str


def choose_path(start: Version, goal: Version, nodes: Iterable[Node]) -> tuple[Leg, ...]:
    """Choose the path with the fewest hops, then the fewest bytes, then the newest releases.

    Equal inputs give equal paths, whatever their order. Raises `NoPath` S1-N01 when nothing leads
    to `goal`, S1-N02 when releases of the path are not loaded.
    """
    by_version = {node.version: node for node in nodes}
    if goal not in by_version:
        raise _unknown(goal, by_version)
    stops = sorted(v for v, node in by_version.items() if node.is_stop)
    loaded = {v: node for v, node in by_version.items() if node.is_loaded}
    versions = _shortest(start, goal, loaded, stops) if goal > start else None
    if versions is not None:
        return _legs(start, versions, by_version, stops)
    versions = _shortest(start, goal, by_version, stops) if goal > start else None
    if versions is None:
        raise _no_path(start, goal, by_version, stops)
    raise _not_loaded([v for v in versions if v not in loaded], by_version)


def _shortest(
    start: Version, goal: Version, nodes: dict[Version, Node], stops: list[Version]
) -> tuple[Version, ...] | None:
    """Walk the versions in order; every edge leads upwards, so one pass settles each."""
    best: dict[Version, tuple[int, int, tuple[int, ...], tuple[Version, ...]]] = {
        start: (0, 0, (), ())
    }
    between = sorted(v for v in nodes if start < v <= goal)
    rank = {v: -i for i, v in enumerate(between)}
    settled = [start]
    for version in between:
        node = nodes[version]
        ways = (
            (hops + 1, size + node.size_bytes, (*newest, rank[version]), (*path, version))
            for source in settled[bisect_left(settled, _least_source(node)) :]
            if _is_open(source, node, stops)
            for hops, size, newest, path in (best[source],)
        )
        way = min(ways, default=None, key=lambda w: w[:3])
        if way is not None:
            best[version] = way
            settled.append(version)
    return best[goal][3] if goal in best else None


def _least_source(node: Node) -> Version:
    """Say below which version the specifier surely admits none, so that few have to be tried."""
    bounds = [Version(s.version) for s in node.sources if s.operator in {">=", ">", "~="}]
    return max(bounds, default=Version("0.dev0"))


def _is_open(source: Version, node: Node, stops: list[Version]) -> bool:
    return _accepts(node, source) and not any(source < stop < node.version for stop in stops)


def _accepts(node: Node, source: Version) -> bool:
    """Say whether the signed specifier admits `source`; an empty one admits nothing."""
    return bool(str(node.sources)) and node.sources.contains(source, prereleases=True)


def _legs(
    start: Version, versions: tuple[Version, ...], nodes: dict[Version, Node], stops: list[Version]
) -> tuple[Leg, ...]:
    legs = []
    for source, version in zip((start, *versions), versions, strict=False):
        why = f"{version} accepts an upgrade from `{nodes[version].sources}`, and {source} is one"
        if version != versions[-1]:
            why += "; " + _why_not_direct(source, nodes[versions[-1]], stops)
        legs.append(Leg(to=version, why=why))
    return tuple(legs)


def _why_not_direct(source: Version, goal: Node, stops: list[Version]) -> str:
    skipped = [str(s) for s in stops if source < s < goal.version]
    if skipped:
        return f"{goal.version} directly would skip the required stop {skipped[0]}"
    return f"{goal.version} accepts only `{goal.sources}`"


def _unknown(goal: Version, nodes: dict[Version, Node]) -> NoPath:
    known = ", ".join(str(v) for v in sorted(v for v in nodes if nodes[v].is_loaded))
    return NoPath(
        f"release {goal} is not loaded here; loaded: {known or 'none'}",
        code="S1-N02",
        hint="run `s1ctl load FILE` with its bundle",
    )


def _no_path(
    start: Version, goal: Version, nodes: dict[Version, Node], stops: list[Version]
) -> NoPath:
    if goal == start:
        message, hint = f"release {goal} is installed already", "run `s1ctl status` to see it"
    elif goal < start:
        message = f"release {goal} is older than the installed {start}"
        hint = "go back with `s1ctl rollback`, which uses the recorded release"
    else:
        why = _why_not_direct(start, nodes[goal], stops)
        message = f"no allowed path leads from {start} to {goal}: {why}"
        hint = f"load a release that leads from {start} to it, then run `s1ctl plan --to {goal}`"
    return NoPath(message, code="S1-N01", hint=hint)


def _not_loaded(missing: list[Version], nodes: dict[Version, Node]) -> NoPath:
    names = ", ".join(f"{v} ({nodes[v].size_bytes / 1e6:,.0f} MB)" for v in missing)
    return NoPath(
        f"the path needs releases that are not loaded: {names}",
        code="S1-N02",
        hint="bring their bundles and run `s1ctl load FILE` for each",
    )
