"""Every command that a message, a hint or an explanation names is one that s1ctl takes."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_docs import faults

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "s1ctl").rglob("*.py"))
ENTRIES = sorted((ROOT / "templates").rglob("*.*"))
COMMAND = re.compile(r"`(s1ctl [^`]+)`")
ANY = "ANY"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_message_names_only_commands_that_there_are(path: Path) -> None:
    texts = list(strings(ast.parse(path.read_text())))
    assert [fault for text in texts for fault in wrong(text)] == []


@pytest.mark.parametrize("path", ENTRIES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_an_explanation_names_only_commands_that_there_are(path: Path) -> None:
    assert wrong(path.read_text()) == []


def test_a_command_that_there_is_not_would_be_found() -> None:
    tree = ast.parse('say(f"run `s1ctl lift {name} --high` now", "`s1ctl status`")')
    assert [fault for text in strings(tree) for fault in wrong(text)] == [
        "`s1ctl lift ANY --high`: no `lift`",
        "`s1ctl lift ANY --high`: no `--high`",
    ]


def wrong(text: str) -> list[str]:
    return [fault for line in COMMAND.findall(text) for fault in faults(shlex.split(line))]


def strings(tree: ast.AST) -> Iterator[str]:
    """Yield every text; what is filled in stands as a word that may be anything."""
    if isinstance(tree, ast.JoinedStr):
        parts = (p.value if isinstance(p, ast.Constant) else ANY for p in tree.values)
        yield "".join(map(str, parts))
        return
    if isinstance(tree, ast.Constant) and isinstance(tree.value, str):
        yield tree.value
    for child in ast.iter_child_nodes(tree):
        yield from strings(child)
