"""Paths of versions by example: each file of `cases/` is one site and what must come out."""

import random
from pathlib import Path
from typing import Annotated

import pytest
from msgspec import Meta, field
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from s1ctl.errors import NoPath
from s1ctl.release.graph import Keys, Leg, Node, choose_path
from s1ctl.release.manifest import Gate
from s1ctl.shape import Value
from s1ctl.strict_yaml import parse_yaml

FILES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))


class Release(Value):
    version: Version
    sources: SpecifierSet = field(name="from")
    stop: bool = False
    dead_end: bool = False
    gates: tuple[Gate, ...] = ()
    loaded: bool = True
    size: Annotated[int, Meta(ge=0)] = 0

    @property
    def node(self) -> Node:
        return Node(
            version=self.version,
            sources=self.sources,
            is_stop=self.stop,
            is_dead_end=self.dead_end,
            gates=self.gates,
            is_loaded=self.loaded,
            size_bytes=self.size,
        )


class Case(Value):
    """`path` and the words of its reasons, or `code` and the words of the refusal.

    `passed` are the gates whose check passed, `accepted` those that somebody opens.
    """

    title: str
    start: Version
    goal: Version
    releases: tuple[Release, ...]
    passed: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()
    path: tuple[Version, ...] = ()
    why: tuple[str, ...] = ()
    code: str | None = None
    words: tuple[str, ...] = ()


def read(file: Path) -> Case:
    return parse_yaml(file.read_bytes(), name=file.name).parse(Case)


def walk(case: Case, releases: tuple[Release, ...]) -> tuple[Leg, ...]:
    keys = Keys(passed=case.passed, accepted=case.accepted)
    return choose_path(case.start, case.goal, [r.node for r in releases], keys=keys)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_case_ends_as_its_file_says(file: Path) -> None:
    case = read(file)
    assert bool(case.path) != bool(case.code)
    if case.code:
        with pytest.raises(NoPath) as caught:
            walk(case, case.releases)
        assert caught.value.code == case.code
        assert [words for words in case.words if words not in caught.value.message] == []
        assert "s1ctl" in caught.value.hint
        return
    legs = walk(case, case.releases)
    assert tuple(leg.to for leg in legs) == case.path
    assert [words for words in case.why if not any(words in leg.why for leg in legs)] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_case_ends_the_same_whatever_the_order_of_its_releases(file: Path) -> None:
    case = read(file)
    releases, ends = list(case.releases), set()
    for seed in range(8):
        random.Random(seed).shuffle(releases)
        try:
            ends.add(str(walk(case, tuple(releases))))
        except NoPath as error:
            ends.add(error.message)
    assert len(ends) == 1


def test_there_are_cases() -> None:
    assert len(FILES) >= 24
