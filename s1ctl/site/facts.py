"""Facts about a site: measured values, each with its source; an unknown one is an entry too."""

from typing import Any

from s1ctl.shape import Value


class Fact(Value):
    """One measurement. `value` is None and `error` says why where it could not be made."""

    value: Any = None
    unit: str = ""
    source: str = ""
    error: str | None = None
    took_ms: int = 0


class Facts(Value):
    """Everything collected for one judgement; `taken_at` is ISO 8601 in UTC."""

    taken_at: str
    items: dict[str, Fact]
