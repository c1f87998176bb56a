"""Look into a ledger that may be torn, of another schema, or not there: nothing is written."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from s1ctl.ledger.connection import translated

TIMEOUT_S = 5.0


def table_names(path: Path) -> tuple[str, ...]:
    """Name the tables of a ledger. Raises `InputOutputFailed` S1-I2x."""
    with translated(path), closing(_open(path)) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")
        return tuple(name for (name,) in rows)


def table_rows(path: Path, table: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table, its JSON as data. Raises `InputOutputFailed` S1-I2x."""
    with translated(path), closing(_open(path)) as connection:
        connection.row_factory = sqlite3.Row
        name = table.replace('"', '""')
        for row in connection.execute(f'SELECT * FROM "{name}" ORDER BY rowid'):  # noqa: S608
            yield {key: _value(row[key]) for key in row.keys()}  # noqa: SIM118 - a row is no dict


def _open(path: Path) -> sqlite3.Connection:
    """Open for reading: without a write-ahead log nothing is made beside the file either."""
    name = f"file:{quote(str(path.absolute()))}?mode=ro"
    if not path.with_name(f"{path.name}-wal").exists():
        name += "&immutable=1"
    return sqlite3.connect(name, uri=True, timeout=TIMEOUT_S)


def _value(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
