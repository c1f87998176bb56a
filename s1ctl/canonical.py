"""Canonical JSON: the one way to write a document whose digest matters."""

import json
import re
from itertools import accumulate
from typing import Any

MAX_INTEGER = 2**53 - 1
MAX_LEVELS = 64
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {0x5B: 1, 0x7B: 1, 0x5D: -1, 0x7D: -1}


class NotCanonical(ValueError):
    """Bytes that are not canonical JSON, or data that cannot be, with the reason."""


def canonical_json(data: object) -> bytes:
    """Serialise plain data: UTF-8, sorted keys, no white space.

    Raises `NotCanonical` for what `parse_canonical` would refuse; tuples are written as arrays.
    """
    _check_plain(data, 0)
    return _write(data)


def parse_canonical(raw: bytes) -> Any:
    """Parse bytes that must be canonical JSON, and say why where they are not.

    Only objects, arrays, strings, booleans, null and integers up to 2^53-1; at most 64 levels.
    Needs time in proportion to the length, whatever the bytes. Raises `NotCanonical`.
    """
    _check_levels(raw)
    try:
        data = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_float=_no_float,
            parse_constant=_no_float,
            parse_int=_bounded,
        )
    except NotCanonical:
        raise
    except ValueError as error:
        raise NotCanonical(str(error)) from None
    if _write(data) != raw:
        raise NotCanonical("written again it has other bytes")
    return data


def _write(data: object) -> bytes:
    text = json.dumps(
        data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise NotCanonical("a lone surrogate in a string") from None


def _check_plain(data: object, level: int) -> None:
    if isinstance(data, dict | list | tuple) and level == MAX_LEVELS:
        raise NotCanonical(f"more than {MAX_LEVELS} levels")
    if isinstance(data, dict):
        if not all(isinstance(key, str) for key in data):
            raise NotCanonical("a key that is not a string")
        data = tuple(data.values())
    if isinstance(data, list | tuple):
        for item in data:
            _check_plain(item, level + 1)
    elif isinstance(data, int) and abs(data) > MAX_INTEGER:
        raise NotCanonical("an integer beyond 2^53-1")
    elif not isinstance(data, str | int | None):
        raise NotCanonical(f"a `{type(data).__name__}`")


def _check_levels(raw: bytes) -> None:
    """Bound the nesting before the recursive parser sees it; brackets in strings do not count."""
    brackets = _STRING.sub(b"", raw).translate(None, _NOT_BRACKETS)
    if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > MAX_LEVELS:
        raise NotCanonical(f"more than {MAX_LEVELS} levels")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise NotCanonical("a key occurs twice in one object")
    return data


def _no_float(text: str) -> object:
    raise NotCanonical(f"`{text[:20]}` is not an integer")


def _bounded(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        raise NotCanonical(f"`{text[:20]}` is beyond 2^53-1")
    return int(text)
