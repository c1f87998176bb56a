"""What holds for paths on every map: closed edges stay closed, fewer releases never help."""

import random
from itertools import pairwise

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from s1ctl.errors import NoPath
from s1ctl.release.graph import Leg, Node, choose_path

START = Version("1.0")
Edges = dict[Version, frozenset[Version]]


@st.composite
def maps(draw: st.DrawFn) -> tuple[tuple[Node, ...], Edges]:
    """Draw releases 1.1 to 1.7 at most, each with the set of versions that it accepts."""
    count = draw(st.integers(1, 7))
    nodes, edges = [], {}
    for minor in range(1, count + 1):
        refused = draw(st.sets(st.integers(0, minor - 1), max_size=3))
        accepted = set(range(minor)) - refused
        version = Version(f"1.{minor}")
        edges[version] = frozenset(Version(f"1.{each}") for each in accepted)
        nodes.append(
            Node(
                version=version,
                sources=SpecifierSet(",".join(f"!=1.{each}" for each in refused) or ">=0"),
                is_stop=draw(st.integers(0, 4)) == 4,
                size_bytes=draw(st.integers(0, 3)),
                is_loaded=draw(st.integers(0, 4)) < 4,
            )
        )
    return tuple(nodes), edges


def walk(nodes: tuple[Node, ...]) -> tuple[Leg, ...] | None:
    """Go to the newest of all; None where no path leads there."""
    try:
        return choose_path(START, Version(f"1.{len(nodes)}"), nodes)
    except NoPath:
        return None


def cost(legs: tuple[Leg, ...], nodes: tuple[Node, ...]) -> tuple[int, int]:
    sizes = {node.version: node.size_bytes for node in nodes}
    return len(legs), sum(sizes[leg.to] for leg in legs)


@settings(max_examples=200, deadline=None)
@given(maps())
def test_no_path_leads_through_a_closed_edge(drawn: tuple[tuple[Node, ...], Edges]) -> None:
    nodes, edges = drawn
    legs = walk(nodes)
    assume(legs is not None)
    assert legs is not None
    stops = {node.version for node in nodes if node.is_stop}
    for source, target in pairwise((START, *(leg.to for leg in legs))):
        assert source in edges[target]
        assert not [stop for stop in stops if source < stop < target]


@settings(max_examples=200, deadline=None)
@given(maps())
def test_a_path_leads_only_over_loaded_releases(drawn: tuple[tuple[Node, ...], Edges]) -> None:
    nodes, _ = drawn
    loaded = {node.version for node in nodes if node.is_loaded}
    assert all(leg.to in loaded for leg in walk(nodes) or ())


@settings(max_examples=200, deadline=None)
@given(maps(), st.data())
def test_removing_a_release_never_shortens_a_path(
    drawn: tuple[tuple[Node, ...], Edges], data: st.DataObject
) -> None:
    """A required stop is excepted: what it forbids is allowed again when nobody knows of it."""
    nodes, _ = drawn
    spare = [node for node in nodes[:-1] if not node.is_stop]
    assume(spare)
    gone = data.draw(st.sampled_from(spare))
    rest = tuple(node for node in nodes if node is not gone)
    goal = nodes[-1].version
    whole, part = _cost(nodes, goal), _cost(rest, goal)
    assert part is None or (whole is not None and whole <= part)


def _cost(nodes: tuple[Node, ...], goal: Version) -> tuple[int, int] | None:
    try:
        return cost(choose_path(START, goal, nodes), nodes)
    except NoPath:
        return None


@settings(max_examples=100, deadline=None)
@given(maps(), st.randoms(use_true_random=False))
def test_the_path_and_its_reasons_do_not_depend_on_the_order(
    drawn: tuple[tuple[Node, ...], Edges], dice: random.Random
) -> None:
    nodes, _ = drawn
    shuffled = list(nodes)
    dice.shuffle(shuffled)
    assert walk(tuple(shuffled)) == walk(nodes)
