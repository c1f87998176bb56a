"""Every code that s1ctl can print is explained, and nothing is explained that it cannot print."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from s1ctl import errors
from s1ctl.bundle.lint_finding import RULES
from s1ctl.cli.exit_codes import BUG, EXIT_CODES, INTERRUPTED
from s1ctl.cli.explain import read_entries
from s1ctl.preflight.catalogue import CHECKS
from s1ctl.release.compose import KEYS
from s1ctl.strict_yaml import parse_yaml

ROOT = Path(__file__).parent.parent
ENTRIES = read_entries()
CODE = re.compile(r"S1-[A-Z]\d{2,3}")


def codes_in_use() -> set[str]:
    return {
        node.value
        for path in (ROOT / "s1ctl").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and CODE.fullmatch(node.value)
    }


def test_every_code_in_use_is_explained() -> None:
    assert sorted(codes_in_use() - ENTRIES.keys()) == []


def test_no_code_is_explained_that_is_not_in_use() -> None:
    explained = {name for name in ENTRIES if CODE.fullmatch(name)}
    assert sorted(explained - codes_in_use()) == []


def test_every_exit_code_is_explained() -> None:
    numbers = {0, BUG, 4, INTERRUPTED, *EXIT_CODES.values()}
    assert {int(name) for name in ENTRIES if name.isdecimal()} == numbers


def test_no_name_is_explained_in_two_files() -> None:
    names = Counter(
        name
        for path in (ROOT / "templates" / "explain").glob("*.yaml")
        for name in parse_yaml(path.read_bytes(), name=path.name).data
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_every_check_is_explained_and_nothing_else_that_looks_like_one() -> None:
    known = {check.id for check in CHECKS} | RULES.keys()
    assert {name for name in ENTRIES if "." in name} == known


def test_a_check_and_its_explanation_want_the_same() -> None:
    for check in CHECKS:
        assert ENTRIES[check.id]["title"] == check.title


def test_the_keys_of_a_compose_service_are_listed_where_the_refusal_says_so() -> None:
    assert [key for key in sorted(KEYS) if f"`{key}`" not in ENTRIES["S1-U40"]["why"]] == []


def test_a_code_has_one_meaning_for_the_operator() -> None:
    kinds: dict[str, set[str]] = {}
    for kind, code in raised():
        kinds.setdefault(code, set()).add(kind)
    assert {code: kind for code, kind in kinds.items() if len(kind) > 1} == {}


def raised() -> Iterator[tuple[str, str]]:
    """Find `SomeError(..., code="S1-...")` in the sources: the class is what to do next."""
    for path in (ROOT / "s1ctl").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                codes = [each.value for each in node.keywords if each.arg == "code"]
                for code in codes:
                    if isinstance(code, ast.Constant) and hasattr(errors, node.func.id):
                        yield node.func.id, str(code.value)


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_an_explanation_says_what_why_and_what_to_do(name: str) -> None:
    assert ENTRIES[name].keys() == {"title", "why", "fix"}
