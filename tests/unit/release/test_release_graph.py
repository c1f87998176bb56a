"""Paths of versions: chosen, explained, refused; compared with brute force."""

import random
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from s1ctl.errors import NoPath
from s1ctl.release.graph import Node, choose_path


def node(version: str, sources: str, **more: object) -> Node:
    return Node(version=Version(version), sources=SpecifierSet(sources), **more)  # type: ignore[arg-type]


def path(start: str, goal: str, *nodes: Node) -> list[str]:
    return [str(leg.to) for leg in choose_path(Version(start), Version(goal), nodes)]


def refusal(start: str, goal: str, *nodes: Node) -> NoPath:
    with pytest.raises(NoPath) as caught:
        choose_path(Version(start), Version(goal), nodes)
    return caught.value


def test_the_direct_way_is_taken_where_it_is_allowed() -> None:
    nodes = (node("1.1", ">=1.0"), node("1.2", ">=1.0"))
    assert path("1.0", "1.2", *nodes) == ["1.2"]


def test_a_release_that_does_not_accept_the_start_is_reached_over_one_that_does() -> None:
    nodes = (node("1.1", ">=1.0,<1.1"), node("2.0", ">=1.1,<2.0"))
    legs = choose_path(Version("1.0"), Version("2.0"), nodes)
    assert [str(leg.to) for leg in legs] == ["1.1", "2.0"]
    assert "2.0 accepts only" in legs[0].why


def test_a_required_stop_is_never_skipped() -> None:
    nodes = (node("1.5", ">=1.0", is_stop=True), node("2.0", ">=1.0"))
    legs = choose_path(Version("1.0"), Version("2.0"), nodes)
    assert [str(leg.to) for leg in legs] == ["1.5", "2.0"]
    assert "required stop 1.5" in legs[0].why


def test_of_equally_long_ways_the_smaller_is_taken_then_the_newer() -> None:
    small = node("1.1", ">=1.0", size_bytes=1)
    large = node("1.2", ">=1.0", size_bytes=2)
    goal = node("2.0", ">=1.1,<2.0")
    assert path("1.0", "2.0", small, large, goal) == ["1.1", "2.0"]
    same = node("1.2", ">=1.0", size_bytes=1)
    assert path("1.0", "2.0", small, same, goal) == ["1.2", "2.0"]


def test_a_path_over_a_release_that_is_not_loaded_lists_it() -> None:
    error = refusal(
        "1.0", "2.0", node("1.1", ">=1.0,<1.1", is_loaded=False), node("2.0", ">=1.1,<2.0")
    )
    assert (error.code, "1.1" in error.message) == ("S1-N02", True)


def test_an_unknown_goal_names_what_is_loaded() -> None:
    error = refusal("1.0", "3.0", node("2.0", ">=1.0"))
    assert error.code == "S1-N02"
    assert "loaded: 2.0" in error.message


@pytest.mark.parametrize(
    ("goal", "words"),
    [("1.0", "installed already"), ("0.9", "older than"), ("2.0", "accepts only")],
)
def test_no_path_says_why(goal: str, words: str) -> None:
    nodes = (node("1.0", ""), node("0.9", ""), node("2.0", ">=1.5"))
    error = refusal("1.0", goal, *nodes)
    assert error.code == "S1-N01"
    assert words in error.message


def test_an_empty_specifier_admits_nothing() -> None:
    assert refusal("1.0", "2.0", node("2.0", "")).code == "S1-N01"


def test_an_unchanged_set_gives_the_same_path_whatever_its_order() -> None:
    nodes = [node(f"1.{i}", f">=1.{max(0, i - 3)},<1.{i}", size_bytes=i % 4) for i in range(1, 12)]
    wanted = path("1.0", "1.11", *nodes)
    for seed in range(20):
        random.Random(seed).shuffle(nodes)
        assert path("1.0", "1.11", *nodes) == wanted


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Node, ...]:
    count = draw(st.integers(1, 6))
    return tuple(
        Node(
            version=Version(f"1.{i}"),
            sources=SpecifierSet(
                ",".join(f"!=1.{j}" for j in draw(st.sets(st.integers(0, i - 1)))) or ">=0"
            ),
            is_stop=draw(st.booleans()),
            size_bytes=draw(st.integers(0, 3)),
        )
        for i in range(1, count + 1)
    )


def brute_force(start: Version, goal: Version, nodes: tuple[Node, ...]) -> int | None:
    by = {n.version: n for n in nodes}
    stops = [v for v in by if by[v].is_stop and start < v < goal]
    between = sorted(v for v in by if start < v < goal)
    for length in range(len(between) + 1):
        for chosen in combinations(between, length):
            way = (start, *chosen, goal)
            is_open = all(by[b].sources.contains(a, prereleases=True) for a, b in pairwise(way))
            if is_open and set(stops) <= set(chosen):
                return length + 1
    return None


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_the_path_is_as_short_as_brute_force_finds_and_visits_every_stop(
    nodes: tuple[Node, ...],
) -> None:
    start, goal = Version("1.0"), max(n.version for n in nodes)
    wanted = brute_force(start, goal, nodes)
    try:
        legs = choose_path(start, goal, nodes)
    except NoPath:
        assert wanted is None
        return
    assert len(legs) == wanted
    stops = {n.version for n in nodes if n.is_stop and n.version < goal}
    assert stops <= {leg.to for leg in legs}


def test_a_longer_way_over_loaded_releases_is_preferred_to_one_that_must_be_brought() -> None:
    nodes = (
        node("1.1", ">=1.0,<1.1"),
        node("1.2", ">=1.1,<1.2"),
        node("1.5", ">=1.0,<1.5", is_loaded=False),
        node("2.0", "==1.2"),
    )
    assert path("1.0", "2.0", *nodes) == ["1.1", "1.2", "2.0"]
