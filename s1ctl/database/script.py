"""One revision's file, from verified bytes to a checked module. Runs inside the worker only."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from packaging.version import InvalidVersion, Version

from s1ctl.database.backfill import Backfill
from s1ctl.database.layout import check_text, revision_path
from s1ctl.database.wire import Request
from s1ctl.errors import ContentsRefused, InputOutputFailed
from s1ctl.release.manifest import Revision

_ALLOWED = ("alembic", "sqlalchemy", "s1ctl.database.ops")
_UNDOABLE = ("expand", "enforce")


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionScript:
    """A revision whose text is the signed one and whose attributes are the manifest's."""

    revision: Revision
    previous: str | None
    path: Path
    module: ModuleType
    body: Callable[[], None] | None
    backfill: Backfill | None
    is_transactional: bool


def read_script(request: Request) -> RevisionScript:
    """Read, check and import the request's revision. The bytes checked are the bytes run.

    Raises `ContentsRefused` S1-D12, S1-D24..D27, `InputOutputFailed` S1-D11.
    """
    number = [entry.id for entry in request.lineage].index(request.revision)
    revision = request.lineage[number]
    previous = request.lineage[number - 1].id if number else None
    path = revision_path(Path(request.folder), revision.id)
    raw = _read(path)
    check_text(raw, revision)
    module = _import(raw, revision, path)
    _check_attributes(module, revision, previous)
    is_undo = request.direction == "undo"
    if is_undo:
        _check_undoable(revision)
    return RevisionScript(
        revision=revision,
        previous=previous,
        path=path,
        module=module,
        body=None if revision.phase == "backfill" else _body(module, revision, is_undo=is_undo),
        backfill=_backfill(module, revision) if revision.phase == "backfill" else None,
        is_transactional=getattr(module, "transactional", True) is not False,
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputOutputFailed(
            f"`{path.name}` cannot be read: {error.strerror}",
            code="S1-D11",
            hint="look at the state directory, then run `s1ctl resume`",
        ) from None


def _import(raw: bytes, revision: Revision, path: Path) -> ModuleType:
    """Run the module's top level. Imports are a contract with the vendor, not a prison."""
    module = ModuleType(f"revision_{path.stem}")
    module.__file__ = str(path)
    try:
        tree = ast.parse(raw, filename=str(path))
        _check_imports(tree, revision)
        exec(compile(tree, str(path), "exec"), module.__dict__)  # noqa: S102 - signed bytes
    except ContentsRefused:
        raise
    except Exception as error:  # noqa: BLE001 - the vendor's code may raise anything
        raise ContentsRefused(
            f"revision `{revision.id}` cannot be imported: `{type(error).__name__}`: {error}",
            code="S1-D27",
            hint="call the vendor",
        ) from None
    return module


def _check_imports(tree: ast.Module, revision: Revision) -> None:
    for name in _imported(tree):
        if not any(f"{name}.".startswith(f"{allowed}.") for allowed in _ALLOWED):
            raise ContentsRefused(
                f"revision `{revision.id}` imports `{name}`",
                code="S1-D26",
                hint="call the vendor: a revision imports alembic, sqlalchemy, s1ctl.database.ops",
            )


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                base = "." * node.level + (node.module or "")
                yield f"{base}.{alias.name}"


def _check_attributes(module: ModuleType, revision: Revision, previous: str | None) -> None:
    expected = {
        "revision": revision.id,
        "down_revision": previous,
        "phase": revision.phase,
        "release": revision.release,
        "branch_labels": None,
        "depends_on": None,
    }
    for name, value in expected.items():
        found = getattr(module, name, None)
        if name == "release":
            found = _version(found)
        if found != value:
            raise ContentsRefused(
                f"revision `{revision.id}` says `{name} = {found}`, the release says `{value}`",
                code="S1-D25",
                hint="call the vendor",
            )


def _version(text: object) -> object:
    """Read a version; what is none is compared, and told, as it is."""
    try:
        return Version(str(text))
    except InvalidVersion:
        return text


def _check_undoable(revision: Revision) -> None:
    if revision.phase not in _UNDOABLE:
        raise ContentsRefused(
            f"revision `{revision.id}` is of phase `{revision.phase}` and cannot be undone",
            code="S1-D28",
            hint="only expand and enforce revisions can: see `s1ctl db status`",
        )


def _body(module: ModuleType, revision: Revision, *, is_undo: bool) -> Callable[[], None]:
    return _function(module, revision, "downgrade" if is_undo else "upgrade")


def _function(module: ModuleType, revision: Revision, name: str) -> Callable[[], None]:
    function = getattr(module, name, None)
    if not callable(function):
        raise ContentsRefused(
            f"revision `{revision.id}` has no `{name}()`", code="S1-D27", hint="call the vendor"
        )

    def run() -> None:
        function()

    return run


def _backfill(module: ModuleType, revision: Revision) -> Backfill:
    value = getattr(module, "backfill", None)
    if not isinstance(value, Backfill):
        raise ContentsRefused(
            f"revision `{revision.id}` is of phase `backfill` and has no `backfill = Backfill(…)`",
            code="S1-D27",
            hint="call the vendor",
        )
    return value
