"""Events: what an operation tells while it runs, one for each journal entry and progress tick."""

from collections.abc import Callable
from typing import Any, Literal

from s1ctl.shape import Value

Kind = Literal["opened", "intent", "done", "failed", "progress", "closed", "hook"]


class Event(Value):
    """One line of the event stream (NDJSON). `text` is what a person reads; `at` is UTC."""

    schema: Literal[1] = 1
    at: str
    operation: str
    event: Kind
    number: int = 0
    total: int = 0
    direction: Literal["do", "undo"] = "do"
    step: str = ""
    text: str = ""
    record: dict[str, Any] | None = None
    done: int = 0
    size: int = 0
    unit: str = ""


Observe = Callable[[Event], None]
