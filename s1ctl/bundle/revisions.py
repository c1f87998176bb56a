"""Migration files, read by their syntax and never imported: attributes, lineage, imports."""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import get_args

from packaging.version import InvalidVersion, Version

from s1ctl.errors import ContentsRefused
from s1ctl.files import unreadable
from s1ctl.oci.digest import Digest
from s1ctl.release.manifest import Phase, Revision

MAX_BYTES = 1 << 20
ATTRIBUTES = ("revision", "down_revision", "phase", "release")
_ALLOWED = re.compile(r"(alembic|sqlalchemy)(\..+)?|s1ctl\.database\.ops")
_DYNAMIC = ("__import__", "eval", "exec")


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One revision and the file that it stands in; `file` is the file's name."""

    revision: Revision
    parent: str | None
    file: str
    raw: bytes


def read_lineage(folder: Path, release: Version) -> tuple[Migration, ...]:
    """Read the migrations of `folder` up to `release`, oldest first; newer ones are left out.

    Raises `ContentsRefused` for anything but one linear lineage in the order of the phases.
    """
    migrations = [
        parse_migration(_read(path), name=str(path)) for path in sorted(folder.glob("*.py"))
    ]
    lineage = _order(migrations, folder)
    check_order(lineage, folder)
    return tuple(migration for migration in lineage if migration.revision.release <= release)


def parse_migration(raw: bytes, *, name: str) -> Migration:
    """Parse one migration file; `name` is told in refusals. Nothing of it is run."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,120}\.py", Path(name).name):
        raise _refuse(name, 1, "its name is not letters, digits, `_`, `.` and `-`", "S1-C60")
    tree = _parse(raw, name)
    check_imports(tree, name)
    found = dict(_literals(tree, name))
    for attribute in ATTRIBUTES:
        if attribute not in found:
            raise _refuse(name, 1, f"`{attribute}` is not set by a plain text at the top", "S1-C61")
    migration = Migration(
        revision=_make_revision(found, raw, name),
        parent=_parent(found["down_revision"], name),
        file=Path(name).name,
        raw=raw,
    )
    _check_body(tree, migration.revision.phase, name)
    return migration


def check_imports(tree: ast.Module, name: str) -> None:
    """Refuse any import but of alembic, sqlalchemy and `s1ctl.database.ops` (S1-C65)."""
    for node in ast.walk(tree):
        for module in _imported(node):
            if not _ALLOWED.fullmatch(module):
                line = getattr(node, "lineno", 1)
                raise _refuse(name, line, f"`{module}` is not for migrations", "S1-C65")


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        if module == "s1ctl.database":
            yield from (f"{module}.{alias.name}" for alias in node.names)
        else:
            yield module
    elif isinstance(node, ast.Name) and node.id in _DYNAMIC:
        yield node.id


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise unreadable(path, error) from None
    if len(raw) > MAX_BYTES:
        raise _refuse(str(path), 1, f"it has more than {MAX_BYTES} bytes", "S1-C60")
    return raw


def _parse(raw: bytes, name: str) -> ast.Module:
    try:
        return ast.parse(raw, feature_version=(3, 11))
    except SyntaxError as error:
        raise _refuse(name, error.lineno or 1, f"not Python 3.11: {error.msg}", "S1-C60") from None
    except (ValueError, RecursionError, MemoryError):
        raise _refuse(name, 1, "not Python 3.11", "S1-C60") from None


def _literals(tree: ast.Module, name: str) -> Iterator[tuple[str, object]]:
    """Yield what the module sets at its top by literals; an attribute set twice is refused."""
    seen = set()
    for statement in tree.body:
        for target, value in _assigned(statement):
            if target in seen and target in ATTRIBUTES:
                raise _refuse(name, statement.lineno, f"`{target}` is set twice", "S1-C61")
            seen.add(target)
            if isinstance(value, ast.Constant):
                yield target, value.value
            elif target in ("down_revision", "branch_labels", "depends_on"):
                yield target, value


def _assigned(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(statement, ast.AnnAssign) and statement.value:
        yield from _pairs(statement.target, statement.value)
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from _pairs(target, statement.value)


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, its_value in zip(target.elts, value.elts, strict=False):
            yield from _pairs(one, its_value)


def _make_revision(found: dict[str, object], raw: bytes, name: str) -> Revision:
    revision, phase, release = found["revision"], found["phase"], found["release"]
    if not isinstance(revision, str) or not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", revision):
        raise _refuse(name, 1, f"`revision` is `{revision}`, not a short name", "S1-C61")
    if phase not in get_args(Phase):
        raise _refuse(
            name, 1, f"`phase` is `{phase}`, not one of {', '.join(get_args(Phase))}", "S1-C61"
        )
    for label in ("branch_labels", "depends_on"):
        if found.get(label) is not None:
            raise _refuse(name, 1, f"`{label}` is set, but a lineage has no branches", "S1-C62")
    try:
        version = Version(str(release))
    except InvalidVersion:
        raise _refuse(name, 1, f"`release` is `{release}`, not a version", "S1-C61") from None
    return Revision(id=revision, phase=phase, release=version, digest=Digest.of(raw))  # type: ignore[arg-type]


def _parent(value: object, name: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise _refuse(name, 1, "`down_revision` must be None or one revision's name", "S1-C62")


def _check_body(tree: ast.Module, phase: Phase, name: str) -> None:
    """Ask for what the phase needs: a backfill is a value, and what is added can be taken away."""
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    values = {target for statement in tree.body for target, _ in _assigned(statement)}
    if phase == "backfill":
        missing = {"backfill = Backfill(…)"} if "backfill" not in values else set()
    else:
        missing = {"upgrade()"} if "upgrade" not in functions else set()
        if phase in ("expand", "enforce") and "downgrade" not in functions:
            missing.add("downgrade()")
    if missing:
        raise _refuse(
            name, 1, f"phase `{phase}` needs `{'` and `'.join(sorted(missing))}`", "S1-C63"
        )


def _order(migrations: Sequence[Migration], folder: Path) -> list[Migration]:
    """Follow the lineage from its one base to its one head."""
    by_parent: dict[str | None, Migration] = {}
    for migration in migrations:
        former = by_parent.setdefault(migration.parent, migration)
        if former is not migration:
            raise _refuse(
                str(folder / migration.file),
                1,
                f"`{former.revision.id}` and `{migration.revision.id}` both follow "
                f"`{migration.parent or 'nothing'}`",
                "S1-C62",
            )
    lineage: list[Migration] = []
    while (
        following := by_parent.pop(lineage[-1].revision.id if lineage else None, None)
    ) is not None:
        lineage.append(following)
    _check_ids(migrations, folder)
    if by_parent:
        lost = min(by_parent.values(), key=lambda migration: migration.file)
        raise _refuse(
            str(folder / lost.file),
            1,
            f"`{lost.revision.id}` follows `{lost.parent}`, which leads to no base",
            "S1-C62",
        )
    return lineage


def _check_ids(migrations: Sequence[Migration], folder: Path) -> None:
    seen: dict[str, str] = {}
    for migration in migrations:
        former = seen.setdefault(migration.revision.id, migration.file)
        if former != migration.file:
            raise _refuse(
                str(folder / migration.file),
                1,
                f"`{former}` is revision `{migration.revision.id}` too",
                "S1-C62",
            )


def check_order(lineage: Sequence[Migration], folder: Path) -> None:
    """Refuse releases that go back, and within one release what comes after a contract (S1-C64)."""
    for former, migration in pairwise(lineage):
        old, new = former.revision, migration.revision
        name = str(folder / migration.file)
        if new.release < old.release:
            raise _refuse(
                name,
                1,
                f"`{new.id}` of release {new.release} follows `{old.id}` of {old.release}",
                "S1-C64",
            )
        if new.release == old.release and old.phase == "contract" != new.phase:
            raise _refuse(
                name,
                1,
                f"`{new.id}` ({new.phase}) follows the contract `{old.id}` of its own release",
                "S1-C64",
            )


def _refuse(name: str, line: int, message: str, code: str) -> ContentsRefused:
    text = f"{name}:{line}: {message[:300]}".encode("unicode_escape").decode("ascii")
    return ContentsRefused(text, code=code, hint=f"run `s1ctl explain {code}`")
