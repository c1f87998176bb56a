"""The table of what goes wrong, `tests/cases.yaml`: each row is provoked by a test naming it."""

import hashlib
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from s1ctl.cli.explain import read_entries
from s1ctl.shape import Value
from s1ctl.strict_yaml import parse_yaml

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "tests" / "cases.yaml"
PAGE = ROOT / "docs" / "errors.md"
Area = Literal[
    "files", "bundles", "registry", "engine", "database", "operator", "secrets", "preflight"
]
Untouched = Literal[
    "site file",
    "ledger",
    "release store",
    "registry",
    "containers",
    "database",
    "files",
    "requests",
]
TITLES: Mapping[Area, str] = {
    "files": "Files that do not parse",
    "bundles": "Bundles that are refused",
    "registry": "The registry",
    "engine": "The engine and the containers",
    "database": "The database",
    "operator": "The operator and the host",
    "secrets": "Secrets",
    "preflight": "Checks of the site",
}
_HEAD = (
    "Each row is provoked by a test, with real parts. *Untouched* is what that test compared"
    " before and after. `s1ctl explain CODE` says more, offline."
)
_PASSING = ("ledger.db-shm", "ledger.db-wal", "s1ctl.log")


class Case(Value):
    """One row: what happens, how the test brings it about, how s1ctl ends, what stays as it was.

    `code` is the error's, the finding's id, or empty where s1ctl copes and ends well.
    """

    id: Annotated[str, Meta(pattern=r"^[a-z0-9-]+\Z")]
    area: Area
    situation: str
    provoked: str
    code: str
    exit: int
    unchanged: tuple[Untouched, ...]

    @property
    def outcome(self) -> tuple[int, str]:
        """The exit code, and the code of the error."""
        return self.exit, self.code


def read_cases() -> dict[str, Case]:
    """Read the table, in its order."""
    found = parse_yaml(TABLE.read_bytes(), name=TABLE.name).parse(tuple[Case, ...])
    return {case.id: case for case in found}


CASES = read_cases()


def outcome_of(status: int, document: Mapping[str, object]) -> tuple[int, str]:
    """Take the exit code and the error's code, its cause's or the worst finding's, from JSON."""
    error = document.get("error") or document.get("cause") or {}
    code = str(error.get("code", "")) if isinstance(error, Mapping) else ""
    return status, code or worst_of(document.get("findings"))


def worst_of(findings: object) -> str:
    """Say the id of the first finding that is worst; nothing where all passed."""
    found = findings if isinstance(findings, list) else []
    for outcome in ("fail", "error", "warn"):
        for finding in found:
            if finding["outcome"] == outcome:
                return str(finding["id"])
    return ""


def stand_of(folder: Path) -> dict[str, str]:
    """Take down every file below a folder by its digest, and a ledger by its rows.

    Two stands are equal when nothing was written, left over or half written in between.
    """
    return {
        str(path.relative_to(folder)): _print_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in _PASSING
    }


def _print_of(path: Path) -> str:
    if path.name != "ledger.db":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as ledger:
        return hashlib.sha256("\n".join(ledger.iterdump()).encode()).hexdigest()


def page() -> str:
    """Write the documentation's page of errors."""
    entries = read_entries()
    parts = [
        "# What goes wrong, and what s1ctl does",
        "",
        _HEAD,
        "This page is written from `tests/cases.yaml` by `python -m tests.support.cases`.",
    ]
    for area, title in TITLES.items():
        rows = [case for case in CASES.values() if case.area == area]
        if rows:
            parts += ["", f"## {title}", "", "| what happened | exit | code | untouched |"]
            parts += ["| --- | --- | --- | --- |", *(_row(case, entries) for case in rows)]
    return "\n".join(parts) + "\n"


def _row(case: Case, entries: Mapping[str, Mapping[str, str]]) -> str:
    said = f"`{case.code}` {entries[case.code]['title']}" if case.code else "goes on"
    cells = (case.situation, str(case.exit), said, ", ".join(case.unchanged) or "-")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
