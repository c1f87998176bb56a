"""Paths with stops, dead ends and gates, compared with trying every path there is."""

from itertools import combinations, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from s1ctl.errors import NoPath
from s1ctl.release.graph import Keys, Node, choose_carry, choose_path
from s1ctl.release.manifest import Gate

START = Version("1.0")
NAMES = ("disk", "memory", "ports")


@st.composite
def maps(draw: st.DrawFn) -> tuple[Node, ...]:
    """Draw releases 1.1 to 1.7 at most, with all that may be said of them."""
    nodes = []
    for minor in range(1, draw(st.integers(1, 7)) + 1):
        refused = draw(st.sets(st.integers(0, minor - 1), max_size=3))
        nodes.append(
            Node(
                version=Version(f"1.{minor}"),
                sources=SpecifierSet(",".join(f"!=1.{each}" for each in refused) or ">=0"),
                is_stop=draw(st.integers(0, 4)) == 4,
                is_dead_end=draw(st.integers(0, 4)) == 4,
                gates=tuple(
                    Gate(check=name, why="because")
                    for name in sorted(draw(st.sets(st.sampled_from(NAMES), max_size=2)))
                    if draw(st.booleans())
                ),
                size_bytes=draw(st.integers(0, 2)),
            )
        )
    return tuple(nodes)


keys = st.builds(
    Keys,
    passed=st.frozensets(st.sampled_from(NAMES)),
    accepted=st.frozensets(st.sampled_from(NAMES)),
)


def is_open(way: tuple[Node, ...], nodes: tuple[Node, ...], held: Keys) -> bool:
    """Judge a whole path by the words of the design, one rule after the other."""
    versions = (START, *(node.version for node in way))
    open_ = held.passed | held.accepted
    return (
        all(node.sources.contains(source) for source, node in zip(versions, way, strict=False))
        and all({gate.check for gate in node.gates} <= open_ for node in way)
        and not any(node.is_dead_end for node in way[:-1])
        and not any(
            node.is_stop and source < node.version < target
            for node in nodes
            for source, target in pairwise(versions)
        )
    )


def cost(way: tuple[Node, ...], held: Keys) -> tuple[int, int, int, tuple[Version, ...]]:
    by_hand = sum(gate.check not in held.passed for node in way for gate in node.gates)
    return by_hand, len(way), sum(n.size_bytes for n in way), tuple(n.version for n in way)


def brute_force(nodes: tuple[Node, ...], held: Keys) -> tuple[Version, ...] | None:
    *between, goal = nodes
    ways = [
        (*chosen, goal)
        for length in range(len(between) + 1)
        for chosen in combinations(between, length)
    ]
    costs = [cost(way, held) for way in ways if is_open(way, nodes, held)]
    if not costs:
        return None
    least = min(each[:3] for each in costs)
    return max(each[3] for each in costs if each[:3] == least)


@settings(max_examples=200, deadline=None)
@given(maps(), keys)
def test_the_path_is_the_one_that_trying_all_of_them_finds(
    nodes: tuple[Node, ...], held: Keys
) -> None:
    wanted = brute_force(nodes, held)
    try:
        legs = choose_path(START, nodes[-1].version, nodes, keys=held)
    except NoPath:
        assert wanted is None
        return
    assert tuple(leg.to for leg in legs) == wanted
    by_version = {node.version: node for node in nodes}
    for leg in legs:
        closed = {gate.check for gate in by_version[leg.to].gates} - held.passed
        assert set(leg.accepted) == closed


@settings(max_examples=200, deadline=None)
@given(maps(), keys)
def test_what_a_refusal_asks_to_accept_opens_the_way(nodes: tuple[Node, ...], held: Keys) -> None:
    goal = nodes[-1].version
    try:
        choose_path(START, goal, nodes, keys=held)
    except NoPath as error:
        if error.code != "S1-N21":
            everything = Keys(accepted=frozenset(NAMES))
            assert brute_force(nodes, everything) is None
            return
        named = {name for name in NAMES if f"--accept-gate {name}" in error.hint}
        assert named
        opened = Keys(passed=held.passed, accepted=held.accepted | named)
        assert choose_path(START, goal, nodes, keys=opened)


def test_a_carry_lists_every_hop_with_its_bundle() -> None:
    here = Node(version=Version("1.1"), sources=SpecifierSet("==1.0"))
    far = Node(version=Version("2.0"), sources=SpecifierSet("==1.1"), is_loaded=False, size_bytes=5)
    carried = choose_carry(START, Version("2.0"), (far, here))
    assert [(leg.to, node) for leg, node in carried] == [
        (here.version, here),
        (far.version, far),
    ]
