"""The path of versions: releases as a graph, edges by specifier, stops, dead ends, gates."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from s1ctl.errors import NoPath
from s1ctl.release.manifest import Gate


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A release on the map: from which versions it may be reached, and whether it is here."""

    version: Version
    sources: SpecifierSet
    is_stop: bool = False
    is_dead_end: bool = False
    gates: tuple[Gate, ...] = ()
    size_bytes: int = 0
    is_loaded: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One hop of a path, and why it is one; `accepted` are the gates opened by hand for it."""

    to: Version
    why: str
    accepted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What is known of gates, by check: those that passed, and those that somebody accepts.

    A gate in neither is closed: unknown is not passed.
    """

    passed: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()

    def is_open(self, node: Node) -> bool:
        """Say whether every gate of a release is open."""
        return all(g.check in self.passed or g.check in self.accepted for g in node.gates)

    def opened_by_hand(self, node: Node) -> tuple[str, ...]:
        """Name the gates that only an acceptance opens."""
        return tuple(g.check for g in node.gates if g.check not in self.passed)


NO_KEYS = Keys()


def choose_path(
    start: Version, goal: Version, nodes: Iterable[Node], *, keys: Keys = NO_KEYS
) -> tuple[Leg, ...]:
    """Choose the path with the fewest accepted gates, hops, bytes, and then the newest releases.

    Equal inputs give equal paths, whatever their order. Raises `NoPath` S1-N01 when nothing leads
    to `goal`, S1-N21 when a gate is in the way, S1-N02 when releases of the path are not loaded.
    """
    chart = _Chart(start, goal, nodes, keys)
    versions = chart.shortest(is_loaded=True) or chart.way()
    missing = [chart.nodes[v] for v in versions if not chart.nodes[v].is_loaded]
    if missing:
        raise _not_loaded(missing)
    return chart.legs(versions)


def choose_carry(
    start: Version, goal: Version, nodes: Iterable[Node], *, keys: Keys = NO_KEYS
) -> tuple[tuple[Leg, Node], ...]:
    """Choose the path as `choose_path` does, also over releases that are not loaded yet."""
    chart = _Chart(start, goal, nodes, keys)
    versions = chart.shortest(is_loaded=True) or chart.way()
    return tuple((leg, chart.nodes[leg.to]) for leg in chart.legs(versions))


Cost = tuple[int, int, int, tuple[int, ...]]


class _Chart:
    """The releases between start and goal; every edge leads upwards."""

    def __init__(self, start: Version, goal: Version, nodes: Iterable[Node], keys: Keys) -> None:
        self.start, self.goal, self.keys = start, goal, keys
        self.nodes: Mapping[Version, Node] = {node.version: node for node in nodes}
        self.stops = sorted(v for v, node in self.nodes.items() if node.is_stop)
        if goal not in self.nodes:
            raise _unknown(goal, self.nodes)

    def way(self) -> tuple[Version, ...]:
        """Find the best path over all releases. Raises `NoPath` S1-N01 and S1-N21."""
        versions = self.shortest()
        if versions is None:
            raise self._refusal()
        return versions

    def shortest(
        self, *, is_loaded: bool = False, is_gated: bool = True
    ) -> tuple[Version, ...] | None:
        """Walk the versions in order, so that one pass settles each; None where no way is open."""
        best: dict[Version, tuple[Cost, tuple[Version, ...]]] = {self.start: ((0, 0, 0, ()), ())}
        between = sorted(v for v in self.nodes if self.start < v <= self.goal)
        rank = {version: -place for place, version in enumerate(between)}
        settled = [self.start]
        for version in between:
            node = self.nodes[version]
            if (is_loaded and not node.is_loaded) or (is_gated and not self.keys.is_open(node)):
                continue
            by_hand = len(self.keys.opened_by_hand(node))
            ways = (
                (_add(best[source][0], by_hand, node.size_bytes, rank[version]), source)
                for source in self._sources(node, settled)
            )
            way = min(ways, default=None, key=lambda way: way[0])
            if way is not None:
                best[version] = (way[0], (*best[way[1]][1], version))
                if not node.is_dead_end:
                    settled.append(version)
        return best[self.goal][1] if self.goal in best and self.goal > self.start else None

    def _sources(self, node: Node, settled: list[Version]) -> Iterator[Version]:
        """Yield the settled versions from which an edge leads to `node`."""
        least = _least_source(node)
        place = bisect_left(self.stops, node.version)
        if place and self.stops[place - 1] > self.start:
            least = max(least, self.stops[place - 1])  # from before it the stop would be skipped
        for source in settled[bisect_left(settled, least) :]:
            if _accepts(node, source):
                yield source

    def legs(self, versions: tuple[Version, ...]) -> tuple[Leg, ...]:
        """Say of each hop why it is one, and why the direct way is none."""
        legs = []
        for source, version in zip((self.start, *versions), versions, strict=False):
            node = self.nodes[version]
            why = f"{version} accepts an upgrade from `{node.sources}`, and {source} is one"
            if version != self.goal:
                why += "; " + self.why_not_direct(source)
            by_hand = self.keys.opened_by_hand(node)
            legs.append(Leg(to=version, why=why, accepted=by_hand))
        return tuple(legs)

    def why_not_direct(self, source: Version) -> str:
        """Say what forbids the hop from `source` straight to the goal."""
        goal = self.nodes[self.goal]
        skipped = self._skipped(source)
        if skipped is not None:
            return f"{self.goal} directly would skip the required stop {skipped}"
        return f"{self.goal} accepts only `{goal.sources}`"

    def _skipped(self, source: Version) -> Version | None:
        place = bisect_right(self.stops, source)
        return next((stop for stop in self.stops[place : place + 1] if stop < self.goal), None)

    def _refusal(self) -> NoPath:
        if self.goal > self.start:
            without_gates = self.shortest(is_gated=False)
            if without_gates is not None:
                return self._gated(without_gates)
        return _no_path(self)

    def _gated(self, versions: tuple[Version, ...]) -> NoPath:
        closed = [
            (node.version, gate)
            for node in (self.nodes[version] for version in versions)
            for gate in node.gates
            if gate.check not in self.keys.passed | self.keys.accepted
        ]
        texts = (f"gate `{gate.check}` of {version} ({gate.why})" for version, gate in closed)
        names = dict.fromkeys(gate.check for _, gate in closed)
        options = " ".join(f"--accept-gate {name}" for name in names)
        return NoPath(
            f"the way from {self.start} to {self.goal} is closed by {', '.join(texts)}",
            code="S1-N21",
            hint=f"run `s1ctl preflight --only {closed[0][1].check}` and mend what it says; who "
            f"knows better adds `{options} --reason TEXT`",
        )


def _add(cost: Cost, by_hand: int, size_bytes: int, rank: int) -> Cost:
    return cost[0] + by_hand, cost[1] + 1, cost[2] + size_bytes, (*cost[3], rank)


def _least_source(node: Node) -> Version:
    """Say below which version the specifier surely admits none, so that few have to be tried."""
    bounds = [Version(s.version) for s in node.sources if s.operator in {">=", ">", "~="}]
    return max(bounds, default=Version("0.dev0"))


def _accepts(node: Node, source: Version) -> bool:
    """Say whether the signed specifier admits `source`; an empty one admits nothing."""
    return bool(str(node.sources)) and node.sources.contains(source, prereleases=True)


def megabytes(size_bytes: int) -> str:
    """Say how much there is to bring; a graph need not know it."""
    return f"{size_bytes / 1e6:,.0f} MB" if size_bytes else "size unknown"


def _unknown(goal: Version, nodes: Mapping[Version, Node]) -> NoPath:
    known = ", ".join(str(v) for v in sorted(v for v in nodes if nodes[v].is_loaded))
    return NoPath(
        f"release {goal} is not loaded here; loaded: {known or 'none'}",
        code="S1-N02",
        hint="run `s1ctl load FILE` with its bundle",
    )


def _no_path(chart: _Chart) -> NoPath:
    start, goal = chart.start, chart.goal
    if goal == start:
        message, hint = f"release {goal} is installed already", "run `s1ctl status` to see it"
    elif goal < start:
        message = f"release {goal} is older than the installed {start}"
        hint = "go back with `s1ctl rollback`, which uses the recorded release"
    else:
        why = "; ".join((chart.why_not_direct(start), *_dead_ends(chart)))
        message = f"no allowed path leads from {start} to {goal}: {why}"
        hint = f"load a release that leads from {start} to it, then run `s1ctl plan --to {goal}`"
    return NoPath(message, code="S1-N01", hint=hint)


def _dead_ends(chart: _Chart) -> Iterator[str]:
    """Name the dead ends that would lead to the goal if they were none."""
    goal = chart.nodes[chart.goal]
    for version in sorted(v for v, node in chart.nodes.items() if node.is_dead_end):
        if chart.start < version < chart.goal and _accepts(goal, version):
            yield f"{version} is a dead end"


def _not_loaded(missing: Collection[Node]) -> NoPath:
    names = ", ".join(f"{node.version} ({megabytes(node.size_bytes)})" for node in missing)
    total = sum(node.size_bytes for node in missing)
    sum_ = f", together {megabytes(total)}" if len(missing) > 1 else ""
    return NoPath(
        f"the path needs releases that are not loaded: {names}{sum_}",
        code="S1-N02",
        hint="bring their bundles and run `s1ctl load FILE` for each",
    )
