"""Every way out of the command line is one of the listed numbers, and no failure ends with 0."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from s1ctl import errors
from s1ctl.cli import exit_codes, explain
from s1ctl.cli.exit_codes import ALL, DONE, EXIT_CODES, exit_code
from s1ctl.cli.explain import read_entries
from s1ctl.cli.main import main
from tests.support.cases import CASES

CLI = Path(explain.__file__).parent
NAMES = {name for name, value in vars(exit_codes).items() if isinstance(value, int)}
CODE = re.compile(r"S1-[A-Z]\d{2,3}")


def kinds(kind: type = errors.S1Error) -> Iterator[type]:
    for each in kind.__subclasses__():
        yield each
        yield from kinds(each)


@pytest.mark.parametrize("kind", sorted({*kinds()}, key=str))
def test_every_error_there_is_has_a_number_that_is_not_0(kind) -> None:
    assert exit_code(kind("m", code="S1-X01", hint="h")) in ALL - {DONE}


def test_an_error_without_a_kind_is_a_bug_and_not_0() -> None:
    assert exit_code(errors.S1Error("m", code="S1-X01", hint="h")) == exit_codes.BUG


def test_every_number_is_explained_and_each_kind_has_one_of_its_own() -> None:
    assert {int(name) for name in read_entries() if name.isdecimal()} == ALL
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES)


@pytest.mark.parametrize("path", sorted(CLI.glob("*.py")), ids=lambda path: path.stem)
def test_a_number_is_written_in_one_place_only(path: Path) -> None:
    """Elsewhere `Exit` gets a name of the list, or what a function of the list's kind says."""
    if path.stem == "exit_codes":
        return
    for call in exits(ast.parse(path.read_text())):
        (given,) = call.args or [None]
        assert not isinstance(given, ast.Constant), ast.unparse(call)
        assert not isinstance(given, ast.Name) or given.id in NAMES | {"code"}, ast.unparse(call)


def exits(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("typer.Exit", "sys.exit"):
            yield node


class Strange(OSError):
    """What no code of ours translates."""


FAILURES = [
    *(kind("m", code="S1-X01", hint="h") for kind in sorted({*kinds()}, key=str)),
    OSError(28, "No space left on device"),
    Strange(5, "Input/output error", "/dev/x"),
    BrokenPipeError(32, "Broken pipe"),
    TimeoutError("late"),
    KeyError("k"),
    RecursionError("deep"),
    MemoryError(),
    KeyboardInterrupt(),
    UnicodeEncodeError("ascii", "ü", 0, 1, "no"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("words", [(), ("--output", "json"), ("--quiet",), ("--verbose",)])
def test_whatever_goes_wrong_the_end_is_a_listed_number_and_not_0(
    run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, failure: BaseException, words
) -> None:
    def fail() -> None:
        raise failure

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("s1ctl.cli.context.SYSTEM_STATE", tmp_path)
    monkeypatch.setattr(explain, "read_entries", fail)
    status, out, err = run("explain", "x", *words)
    assert status in ALL - {DONE}
    assert err.strip() != ""
    if "json" in words:
        assert json.loads(out)["error"]["exit"] == status


def test_no_row_of_the_table_with_an_errors_code_ends_with_0() -> None:
    """What is only warned of has no code in the table."""
    ended = {case.id: case.exit for case in CASES.values() if CODE.fullmatch(case.code)}
    assert {name: number for name, number in ended.items() if number not in ALL - {DONE}} == {}


@pytest.mark.parametrize(
    "words",
    [["lift"], ["--output"], ["--output", "xml"], ["status", "--now"], ["plan"], ["--site"], [""]],
)
def test_a_command_line_that_is_wrong_never_ends_with_0(words: list[str]) -> None:
    assert main(words) == exit_codes.USAGE
