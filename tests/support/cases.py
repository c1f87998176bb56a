"""The table of what goes wrong, `tests/cases.yaml`: each row is provoked by a test naming it."""

import hashlib
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from stat import S_IFMT
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
    "Each row is provoked by a test that runs the command line. Registry, engine, database and"
    " file systems are real ones, but where `provoked` in `tests/cases.yaml` says that one"
    " pretends, or that a clock, a table of mounts or a user's id was changed; bad bundles are"
    " loaded before a registry that pretends to be empty. *Untouched* is what that test compared"
    " before and after; `-` says that it compared nothing in this way, not that something changed."
    " `s1ctl explain CODE` says more, offline."
)
_PASSING = ("ledger.db-shm", "ledger.db-wal", "s1ctl.log", "logs")
Stands = Mapping[Untouched, object]


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

    def prove(self, before: Stands, after: Stands) -> None:
        """See that what the row says stays as it was did; each word of it needs its stand."""
        for word in self.unchanged:
            bare = [
                name
                for name, stands in (("before", before), ("after", after))
                if word not in stands
            ]
            assert not bare, f"`{self.id}` says `{word}`, which was not looked at {bare}"
            assert after[word] == before[word], f"`{self.id}` says `{word}` is unchanged"


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
    """Take down all that is below a folder: files by their digest, a ledger by its rows.

    Folders, links and the like are taken down too. Two stands are equal when nothing was written,
    made, left over or half written in between. What comes and goes with a look is left out: the
    ledger's companions, and the program's own log with its folder.
    """
    return {
        str(path.relative_to(folder)): _print_of(path)
        for path in sorted(folder.rglob("*"))
        if path.name not in _PASSING
    }


def words_of(state: Path) -> dict[Untouched, object]:
    """Take down a state directory by the words of the table; `files` are all but the ledger."""
    found = stand_of(state)
    return {
        "ledger": found.pop("ledger.db", None),
        "release store": {name: one for name, one in found.items() if name.startswith("releases")},
        "files": found,
    }


def _print_of(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    if not path.is_file():
        return "folder" if path.is_dir() else f"of kind {S_IFMT(path.stat().st_mode):o}"
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
