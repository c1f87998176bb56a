"""Values as the text of a column, and back."""

import json
from datetime import UTC, datetime
from typing import Any, TypeVar

from s1ctl.errors import InputOutputFailed
from s1ctl.shape import ShapeError, parse_value, plain

T = TypeVar("T")


def to_text(value: object) -> str:
    """Write a value as JSON: ASCII, sorted keys, no white space."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def from_text(text: str) -> Any:
    """Read plain data. Raises `InputOutputFailed` S1-I23 where the column is damaged."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InputOutputFailed(
            "a row of the ledger is damaged",
            code="S1-I23",
            hint="restore `ledger.db` of the state directory from the host's backup",
        ) from None


def value_of(text: str, kind: type[T]) -> T:
    """Read a value. Raises `InputOutputFailed`: S1-I23 damaged, S1-I26 of an unknown shape."""
    try:
        return parse_value(from_text(text), kind)
    except ShapeError as error:
        raise InputOutputFailed(
            f"a row of the ledger is not understood: {error.message} at `{error.path}`",
            code="S1-I26",
            hint="use the s1ctl that wrote it, or a newer one; see `s1ctl history`",
        ) from None


def time_text(at: datetime) -> str:
    """Write an aware time in UTC; raises `ValueError` for a naive one."""
    if at.tzinfo is None:
        raise ValueError("a time without zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def time_of(text: str) -> datetime:
    """Read a time. Raises `InputOutputFailed` S1-I26."""
    return value_of(to_text(text), datetime)
