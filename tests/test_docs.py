"""The documentation says what the code does: commands, links, codes, and every key of each file."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec.inspect as shapes
import pytest
import typer.main

from s1ctl.bundle.completeness import prove_compose
from s1ctl.bundle.recipe import RecipeDocument, read_recipe
from s1ctl.cli.explain import read_entries
from s1ctl.cli.main import app, ordered
from s1ctl.release.compose import TopLevel
from s1ctl.release.service import Service
from s1ctl.site.config import Site

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES]
PROGRAM = typer.main.get_command(app)
CODE = re.compile(r"S1-[A-Z][0-9]{2,3}")
CELL = re.compile(r"`([^`]+)`")


@pytest.mark.parametrize("name", NAMES)
def test_every_command_sample_is_a_command_line_that_s1ctl_takes(name: str) -> None:
    for words in samples(name):
        try:
            parse(words)
        except typer.TyperException as error:
            pytest.fail(f"{name}: `{shlex.join(words)}`: {error.format_message()}")


@pytest.mark.parametrize("name", NAMES)
def test_every_command_named_in_a_sentence_has_that_verb_and_these_options(name: str) -> None:
    assert [fault for words in named(name) for fault in faults(words)] == []


def test_a_sample_with_a_verb_or_option_that_s1ctl_lacks_would_be_found() -> None:
    for words in (["lift"], ["upgrade", "--to", "1.1.0", "--now"], ["load"]):
        with pytest.raises(typer.TyperException):
            parse(words)
    assert faults(["s1ctl", "bundle", "lift"]) == ["`s1ctl bundle lift`: no `lift`"]
    assert faults(["s1ctl", "plan", "--now"]) == ["`s1ctl plan --now`: no `--now`"]


def test_every_verb_is_shown_to_operators_or_vendors() -> None:
    text = read("docs/operator.md") + read("docs/vendor.md")
    assert [verb for verb in verbs(PROGRAM) if f"s1ctl {verb}" not in text] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_somewhere(name: str) -> None:
    home = (ROOT / name).parent
    targets = re.findall(r"\]\(([^)\s]+)\)", without_code(read(name)))
    local = [target for target in targets if "://" not in target]
    assert [t for t in local if not (home / t.partition("#")[0]).exists()] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_code_that_a_page_names_is_explained(name: str) -> None:
    assert sorted(set(CODE.findall(read(name))) - read_entries().keys()) == []


def test_every_exit_code_is_in_the_operators_table() -> None:
    listed = [row[0] for row in rows("docs/operator.md", "## Exit codes")]
    assert listed == sorted((n for n in read_entries() if n.isdecimal()), key=int)


def test_every_key_of_the_site_file_is_documented_and_no_other() -> None:
    compare(documented("docs/operator.md", "### Keys of site.yaml"), keys_of(Site))


def test_every_key_of_the_recipe_is_documented_and_no_other() -> None:
    compare(documented("docs/vendor.md", "## 3. The recipe"), keys_of(RecipeDocument))


def test_every_key_of_a_compose_service_is_documented_and_no_other() -> None:
    compare(documented("docs/vendor.md", "### The subset"), keys_of(Service))


def test_every_top_level_key_of_the_compose_file_is_documented() -> None:
    text = section("docs/vendor.md", "### The subset")
    assert [key for key in keys_of(TopLevel) if "." not in key and f"`{key}`" not in text] == []


def test_the_documented_compose_file_and_recipe_are_taken_and_fit_together(tmp_path: Path) -> None:
    compose, recipe = blocks("docs/vendor.md", "yaml")
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe)
    declared = read_recipe(path).declared
    proven = prove_compose(compose.encode(), name="compose.yaml", recipe=declared)
    assert proven.warnings == ()


def test_every_page_is_in_the_index() -> None:
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages == set(re.findall(r"\]\(([a-z-]+\.md)\)", read("docs/README.md")))


def test_no_two_decisions_have_one_number() -> None:
    numbers = [path.name[:4] for path in (ROOT / "docs" / "adr").glob("*.md")]
    assert sorted(numbers) == sorted(set(numbers))


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", read(name), re.DOTALL | re.MULTILINE)


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```|`[^`\n]+`", "", text, flags=re.DOTALL | re.MULTILINE)


def samples(name: str) -> Iterator[list[str]]:
    """Yield the words after `s1ctl` of each line in a block of shell."""
    for block in blocks(name, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["s1ctl"]:
                yield words[1:]


def parse(words: list[str]) -> None:
    """Parse a command line to its last word, and run nothing. Raises `TyperException`."""
    command: Any = PROGRAM
    parent, rest = None, ordered(words)
    try:
        while True:
            parent = command.make_context("s1ctl", list(rest), parent=parent)
            if not hasattr(command, "commands"):
                return
            rest = [*parent._protected_args, *parent.args]
            _, command, rest = command.resolve_command(parent, rest)
    except typer.Exit:
        return


def named(name: str) -> Iterator[list[str]]:
    """Yield each `s1ctl …` between backticks in the text."""
    text = re.sub(r"^```.*?^```", "", read(name), flags=re.DOTALL | re.MULTILINE)
    for line in re.findall(r"`(s1ctl [^`]+)`", text):
        yield shlex.split(line)


def faults(words: list[str]) -> Iterator[str] | list[str]:
    """Name what s1ctl lacks of a command that a sentence names; arguments may be missing."""
    command: Any = PROGRAM
    options = {option for param in PROGRAM.params for option in param.opts} | {"--help"}
    found = []
    for word in words[1:]:
        if word.startswith("--"):
            options |= {option for param in command.params for option in param.opts}
            found += [] if word.partition("=")[0] in options else [word]
        elif hasattr(command, "commands") and not word.isupper():
            found += [] if word in command.commands else [word]
            command = command.commands.get(word, command)
    return [f"`{' '.join(words)}`: no `{word}`" for word in found]


def verbs(command: Any, before: str = "") -> Iterator[str]:
    for name, each in command.commands.items():
        if hasattr(each, "commands"):
            yield from verbs(each, f"{before}{name} ")
        else:
            yield before + name


def section(name: str, heading: str) -> str:
    """Cut out what stands below a heading, up to the next one of its level or a higher one."""
    level = heading.partition(" ")[0]
    _, found, rest = read(name).partition(f"\n{heading}\n")
    assert found, f"{name} has no `{heading}`"
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(name: str, heading: str) -> list[list[str]]:
    """Read the tables below a heading, without their heads."""
    lines = [line for line in section(name, heading).splitlines() if line.startswith("|")]
    rules = [i for i, line in enumerate(lines) if set(line) <= set("| -")]
    heads = {*rules, *(i - 1 for i in rules)}
    kept = [line for i, line in enumerate(lines) if i not in heads]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in kept]


def documented(name: str, heading: str) -> set[str]:
    """Name the keys of the first column, and those in the second that begin with one of them."""
    found = set()
    for first, second, *_ in rows(name, heading):
        own = CELL.findall(first)
        deeper = [k for k in CELL.findall(second) if k.startswith(tuple(f"{o}." for o in own))]
        lists = [k for k in CELL.findall(second) if k.startswith(tuple(f"{o}[]" for o in own))]
        found |= {*own, *deeper, *lists}
    return found


def keys_of(kind: type) -> set[str]:
    """Name every key of a document: `a.b`, `a.NAME.b` in a mapping, `a[].b` in a list."""
    return set(_keys(shapes.type_info(kind), ""))


def _keys(info: shapes.Type, path: str) -> Iterator[str]:
    if isinstance(info, shapes.StructType):
        for each in info.fields:
            below = f"{path}.{each.encode_name}".removeprefix(".")
            yield below
            yield from _keys(each.type, below)
    elif isinstance(info, shapes.UnionType):
        for one in info.types:
            yield from _keys(one, path)
    elif isinstance(info, shapes.DictType):
        yield from _keys(info.value_type, f"{path}.NAME")
    elif isinstance(info, shapes.VarTupleType | shapes.ListType):
        yield from _keys(info.item_type, f"{path}[]")


def compare(told: set[str], taken: set[str]) -> None:
    """A key with keys below it may be told by those alone."""
    parents = {key for key in taken for other in taken if other.startswith((f"{key}.", f"{key}["))}
    assert sorted(taken - parents - told) == [], "accepted, and not documented"
    assert sorted(told - taken) == [], "documented, and not accepted"
