"""Numbers and records as a person reads them."""

from collections.abc import Mapping
from typing import Any

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
SILENT = frozenset({"found", "findings", "was_applied", "direction", "phase", "revision"})
SAID = frozenset({"point", "release", "seconds"})  # the step's own text has them
MAX_ITEMS = 3
SHORT = 19


def seconds_text(seconds: float) -> str:
    """Write a time: `400 ms`, `1.4 s`, `1 min 05 s`, `2 h 10 min`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def tick_text(seconds: float) -> str:
    """Write a time on the axis: `0`, `0.5 s`, `20 s`, `5 min`."""
    if seconds < 60:
        return f"{seconds:g} s" if seconds else "0"
    return f"{seconds / 60:g} min" if seconds < 3600 else f"{seconds / 3600:g} h"


def size_text(count: int) -> str:
    """Write a number of bytes in the largest unit that fits."""
    amount, place = float(count), 0
    while amount >= 1024 and place < len(UNITS) - 1:
        amount, place = amount / 1024, place + 1
    return f"{count} B" if not place else f"{amount:.1f} {UNITS[place]}"


def essentials(record: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    """Pick what a person wants of a step's record, as pairs of name and text."""
    pairs = (record or {}).items()
    found = ((_name(key), _text(key, value)) for key, value in pairs if key not in SILENT | SAID)
    return tuple((name, text) for name, text in found if text)


def _name(key: str) -> str:
    return key.removesuffix("_bytes").removesuffix("_ms").replace("_", " ")


def _text(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _number(key, value)
    if isinstance(value, str):
        return value[:SHORT] + "…" if value.startswith("sha256:") else value
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(name, each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return _list(value)
    return ""


def _number(key: str, value: float) -> str:
    if key.endswith("_bytes"):
        return size_text(int(value))
    return f"{value:g} ms" if key.endswith("_ms") else f"{value:,}"


def _list(values: list[Any] | tuple[Any, ...]) -> str:
    texts = [_text("", value) for value in values[:MAX_ITEMS]]
    more = len(values) - MAX_ITEMS
    return ", ".join(texts) + (f" and {more} more" if more > 0 else "")
