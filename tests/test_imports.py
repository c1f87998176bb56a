"""The walls of the house: layers, library borders, sizes, and no platform by name."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "s1ctl"
FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = [path.relative_to(PACKAGE).as_posix() for path in FILES]

FOUNDATION = {
    "errors",
    "faults",
    "forms",
    "shape",
    "canonical",
    "strict_yaml",
    "files",
    "data",
    "progress",
    "masking",
}
LAYERS = [
    FOUNDATION,
    {"oci", "trust"},
    {"release"},
    {"site"},
    {"plan"},
    {"ledger"},
    {"bundle", "preflight", "targets", "database"},
    {"operation"},
    {"report"},
    {"cli"},
]
BORDERS = {
    "typer": r"cli/",
    "rich": r"cli/",
    "click": r"(?!)",
    "docker": r"targets/docker\w*\.py|preflight/engine\.py",
    "urllib3": r"oci/(wire|pools)\.py|targets/asking\.py",
    "requests": r"targets/docker\w*\.py|preflight/engine\.py",
    "sqlalchemy": r"ledger/|database/|preflight/postgresql\.py",
    "alembic": r"ledger/|database/",
    "psycopg2": r"database/|preflight/postgresql\.py|targets/probe\.py",
    "sqlite3": r"ledger/",
    "yaml": r"strict_yaml\.py",
    "jinja2": r"report/|cli/init\.py",
    "cryptography": r"trust/keys\.py|preflight/certificates\.py",
}
SPEAKERS = {"print", "input", "breakpoint"}
UNPACKERS = {"extractall", "unpack_archive"}


@pytest.mark.parametrize("name", NAMES)
def test_a_package_imports_only_from_packages_to_its_left(name: str) -> None:
    own = first_part(name)
    wrong = [
        module
        for module in imported_modules(name)
        if module.startswith("s1ctl.")
        and not may_import(own, first_part(module.removeprefix("s1ctl.").replace(".", "/")))
    ]
    assert not wrong, f"s1ctl/{name} may not import {wrong}"


@pytest.mark.parametrize("name", NAMES)
def test_a_library_is_imported_only_inside_its_border(name: str) -> None:
    wrong = [
        module
        for module in imported_modules(name)
        if module.split(".")[0] in BORDERS and not re.match(BORDERS[module.split(".")[0]], name)
    ]
    assert not wrong, f"s1ctl/{name} may not import {wrong}"


@pytest.mark.parametrize("name", NAMES)
def test_a_file_has_at_most_400_lines_and_a_function_at_most_60(name: str) -> None:
    assert len((PACKAGE / name).read_text().splitlines()) <= 400
    long = [
        node.name
        for node in ast.walk(tree(name))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 60
    ]
    assert not long


@pytest.mark.parametrize("name", [n for n in NAMES if not n.startswith("cli/")])
def test_nothing_below_the_command_line_prints_asks_or_reads_the_environment(name: str) -> None:
    wrong = [
        node.lineno for node in ast.walk(tree(name)) if speaks(node) or reads_environment(node)
    ]
    assert not wrong, f"s1ctl/{name}, lines {wrong}"


@pytest.mark.parametrize("name", NAMES)
def test_no_archive_is_unpacked_to_disk(name: str) -> None:
    wrong = [
        node.lineno
        for node in ast.walk(tree(name))
        if isinstance(node, ast.Attribute) and node.attr in UNPACKERS
    ]
    assert not wrong, f"s1ctl/{name}, lines {wrong}"


def test_no_platform_occurs_by_name_in_the_package() -> None:
    platforms = {"atlas"} | {
        path.parent.parent.name for path in ROOT.glob("bundles/*/*/recipe.yaml")
    }
    texts = [*FILES, *ROOT.glob("templates/**/*.*"), *ROOT.glob("migrations/ledger/**/*.py")]
    found = [
        f"{path.relative_to(ROOT)}: {platform}"
        for path in texts
        for platform in sorted(platforms)
        if platform in path.read_text().lower()
    ]
    assert not found


def test_every_package_stands_in_a_layer() -> None:
    placed = set().union(*LAYERS)
    assert {first_part(name) for name in NAMES} - {"__init__"} == placed


def first_part(path: str) -> str:
    return path.split("/", maxsplit=1)[0].removesuffix(".py")


def may_import(own: str, other: str) -> bool:
    if other in {own, "__init__", "__version__"}:
        return True
    if own in FOUNDATION:
        return other in FOUNDATION
    return layer(other) < layer(own)


def layer(part: str) -> int:
    return next((i for i, names in enumerate(LAYERS) if part in names), len(LAYERS))


@cache
def tree(name: str) -> ast.Module:
    return ast.parse((PACKAGE / name).read_text())


def imported_modules(name: str) -> Iterator[str]:
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"s1ctl/{name}: relative import in line {node.lineno}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def speaks(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SPEAKERS
    )


def reads_environment(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in {("os", "environ"), ("os", "getenv"), ("sys", "stdin")}
    )
