"""How long the choice of a path takes: 500 releases with 5,000 edges, printed."""

import argparse
import time

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from s1ctl.release.graph import Keys, Node, choose_path
from s1ctl.release.manifest import Gate

RELEASES, SOURCES = 500, 10
STOP_EVERY, DEAD_END_EVERY, GATE_EVERY = 50, 10, 11
KEYS = Keys(passed=frozenset({"host.memory"}))


def make_graph() -> tuple[Node, ...]:
    """Make releases that each accept the ten before them; some are stops, dead ends, gated."""
    return tuple(
        Node(
            version=Version(f"1.{minor}.0"),
            sources=SpecifierSet(f">=1.{max(0, minor - SOURCES)},<1.{minor}"),
            is_stop=minor % STOP_EVERY == 0,
            is_dead_end=minor % DEAD_END_EVERY == 5,
            gates=(Gate(check="host.memory", why="memory"),) if minor % GATE_EVERY == 0 else (),
            size_bytes=minor % 13,
        )
        for minor in range(1, RELEASES + 1)
    )


def count_edges(nodes: tuple[Node, ...]) -> int:
    """Count the pairs that the specifiers allow."""
    versions = [Version("1.0.0"), *(node.version for node in nodes)]
    return sum(node.sources.contains(version) for node in nodes for version in versions)


def main() -> None:
    """Print the least and the middle of some runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    edges = count_edges(make_graph())
    seconds = []
    for _ in range(runs):
        nodes = make_graph()  # anew: a specifier remembers what it was asked
        began = time.perf_counter()
        legs = choose_path(Version("1.0.0"), nodes[-1].version, nodes, keys=KEYS)
        seconds.append(time.perf_counter() - began)
    seconds.sort()
    print(f"{RELEASES} releases, {edges} edges, a path of {len(legs)} hops, {runs} runs")
    print(f"least {seconds[0] * 1000:.1f} ms, middle {seconds[runs // 2] * 1000:.1f} ms")


if __name__ == "__main__":
    main()
