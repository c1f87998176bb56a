"""Every code that s1ctl can print is explained, and nothing is explained that it cannot print."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from s1ctl.cli.exit_codes import BUG, EXIT_CODES, INTERRUPTED
from s1ctl.cli.explain import read_entries
from s1ctl.strict_yaml import parse_yaml

ROOT = Path(__file__).parent.parent
ENTRIES = read_entries()
CODE = re.compile(r"S1-[A-Z]\d\d")


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


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_an_explanation_says_what_why_and_what_to_do(name: str) -> None:
    assert ENTRIES[name].keys() == {"title", "why", "fix"}
