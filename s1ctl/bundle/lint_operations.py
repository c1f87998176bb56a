"""What a revision does, by its syntax: each call of alembic's and our verbs, and each SQL text."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "adds", "constrains", "indexes", "validates", "loosens",
    "restricts", "retypes", "renames", "removes", "rows", "unseen",
]  # fmt: skip

CALLS: dict[str, Kind] = {
    "create_table": "adds", "add_column": "adds", "create_index": "indexes",
    "create_check_constraint": "constrains", "create_foreign_key": "constrains",
    "create_unique_constraint": "constrains", "create_exclude_constraint": "constrains",
    "create_primary_key": "constrains", "add_check": "constrains",
    "add_foreign_key": "constrains", "validate": "validates", "bulk_insert": "rows",
    "rename_table": "renames", "drop_table": "removes", "drop_column": "removes",
    "drop_constraint": "removes", "drop_index": "removes",
}  # fmt: skip
# The first that fits counts.
STATEMENTS: tuple[tuple[str, Kind], ...] = (
    (r"ALTER\s.*\bVALIDATE\s+CONSTRAINT\b", "validates"),
    (r"ALTER\s.*\bRENAME\b", "renames"),
    (r"ALTER\s.*\bSET\s+NOT\s+NULL\b", "restricts"),
    (r"ALTER\s.*\b(SET\s+DATA\s+)?TYPE\b", "retypes"),
    (r"ALTER\s.*\bDROP\s+(NOT\s+NULL|DEFAULT)\b", "loosens"),
    (r"ALTER\s.*\bDROP\b", "removes"),
    (r"ALTER\s.*\bADD\s+(CONSTRAINT|CHECK|FOREIGN|UNIQUE|PRIMARY|EXCLUDE)\b", "constrains"),
    (r"ALTER\s.*\bADD\b", "adds"),
    (r"(ALTER|COMMENT|GRANT|SET|ANALYZE)\b", "loosens"),
    (r"CREATE\s+(UNIQUE\s+)?INDEX\b", "indexes"),
    (r"CREATE\b", "adds"),
    (r"DROP\b", "removes"),
    (r"(INSERT|UPDATE|DELETE|TRUNCATE|MERGE|COPY)\b", "rows"),
    (r"SELECT\b", "loosens"),
)
_NOT_CODE = re.compile(r"\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
_TABLE = re.compile(r"\b(?:ON|TABLE)\s+(?:ONLY\s+)?(?:IF\s+(?:NOT\s+)?EXISTS\s+)?([\w.\"]+)", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that a revision does, and how it is written."""

    kind: Kind
    text: str
    line: int
    table: str | None = None
    options: frozenset[str] = frozenset()


def operations_of(raw: bytes) -> tuple[Operation, ...]:
    """Find what `upgrade` does, in the order of the lines; what it calls of the file counts."""
    tree = ast.parse(raw)
    undo = {
        id(node)
        for function in tree.body
        if isinstance(function, ast.FunctionDef) and function.name == "downgrade"
        for node in ast.walk(function)
    }
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and id(n) not in undo]
    return tuple(
        sorted(
            (operation for call in calls for operation in _of_call(call)),
            key=lambda operation: operation.line,
        )
    )


def _of_call(call: ast.Call) -> Iterator[Operation]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else _name(call.func)
    if name in ("execute", "exec_driver_sql"):
        yield from _of_sql(call)
    elif name == "alter_column":
        yield from _of_alter(call)
    elif name in CALLS:
        yield Operation(
            kind=CALLS[name],
            text=f"{name}(…)",
            line=call.lineno,
            table=_table_of(call, name),
            options=frozenset(_options(call, name)),
        )


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _options(call: ast.Call, name: str) -> Iterator[str]:
    """Name what keeps a verb from holding others up; ours do so by themselves."""
    is_ours = isinstance(call.func, ast.Name) or _name(call.func.value) == "ops"  # type: ignore[attr-defined]
    if is_ours or name in ("add_check", "add_foreign_key"):
        yield "online"
    for keyword in call.keywords:
        is_true = isinstance(keyword.value, ast.Constant) and keyword.value.value is True
        if keyword.arg in ("postgresql_concurrently", "postgresql_not_valid") and is_true:
            yield "online"
    if name == "add_column":
        yield from _column_options(call)


def _column_options(call: ast.Call) -> Iterator[str]:
    """Say whether a new column is demanded, and whether it gets a value by itself."""
    for column in call.args[1:2]:
        if not isinstance(column, ast.Call):
            continue
        given = {keyword.arg: keyword.value for keyword in column.keywords}
        if getattr(given.get("nullable"), "value", None) is False:
            yield "demanded"
        parts = {_last(part.func) for part in column.args if isinstance(part, ast.Call)}
        if "server_default" in given or parts & {"Identity", "Computed"}:
            yield "has-default"


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else _name(node)


def _table_of(call: ast.Call, name: str) -> str | None:
    place = 0 if name in ("create_table", "add_column", "drop_table", "drop_column") else 1
    found = call.args[place : place + 1]
    return str(found[0].value) if found and isinstance(found[0], ast.Constant) else None


def _of_alter(call: ast.Call) -> Iterator[Operation]:
    given = {each.arg: getattr(each.value, "value", None) for each in call.keywords}
    kinds: dict[str, Kind] = {
        "new_column_name": "renames",
        "type_": "retypes",
        "nullable": "restricts" if given.get("nullable") is False else "loosens",
    }
    for key in [each for each in kinds if each in given] or ["other"]:
        yield Operation(
            kind=kinds.get(key, "loosens"),
            text="alter_column(…)" if key == "other" else f"alter_column(…, {key}=…)",
            line=call.lineno,
            table=_table_of(call, "add_column"),
        )


def _of_sql(call: ast.Call) -> Iterator[Operation]:
    for argument in call.args[:1]:
        if isinstance(argument, ast.Call) and argument.args:
            argument = argument.args[0]  # noqa: PLW2901 - sa.text("…")
        if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
            yield Operation(kind="unseen", text="execute(…)", line=call.lineno)
            continue
        for statement in _NOT_CODE.sub(" ", argument.value).split(";"):
            yield from _of_statement(" ".join(statement.split()), call.lineno)


def _of_statement(statement: str, line: int) -> Iterator[Operation]:
    if not statement:
        return
    kinds = (kind for form, kind in STATEMENTS if re.match(form, statement, re.IGNORECASE))
    table = _TABLE.search(statement)
    is_online = re.search(r"\bCONCURRENTLY\b|\bNOT\s+VALID\b", statement, re.IGNORECASE)
    yield Operation(
        kind=next(kinds, "unseen"),
        text=statement[:60],
        line=line,
        table=table[1].strip('"') if table else None,
        options=frozenset({"online"} if is_online else ()),
    )
