"""Run the collectors, each with its budget: one that fails or hangs costs its own part only."""

import json
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any, Literal

from s1ctl.errors import S1Error
from s1ctl.masking.keys import mask_document
from s1ctl.report.support.lines import capped, lines_of, lines_of_path, without_key_ends
from s1ctl.report.support.writer import BundleWriter

Status = Literal["ok", "partial", "timeout", "denied", "skipped"]
BUDGET_S = 30.0
TOTAL_S = 600.0
SLICE_S = 0.2
DENIED = ("S1-E02", "S1-D02", "S1-D06")


class Skipped(Exception):
    """Nothing is to be collected here, for a reason."""


class TooLate(Exception):
    """The collector's time was over when it wanted to add something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """How one collector ended; `reasons` say what is missing and why."""

    name: str
    status: Status
    reasons: tuple[str, ...]
    files: int
    duration_ms: int


@dataclass(slots=True, kw_only=True)
class Scope:
    """What one collector adds to; closed when its time is over."""

    name: str
    writer: BundleWriter
    files: int = 0
    reasons: list[str] = field(default_factory=list)
    is_denied: bool = False
    is_closed: bool = False

    def text(self, name: str, text: str) -> None:
        """Add a text."""
        self.lines(name, lines_of([text.encode("utf-8", "replace")]))

    def document(self, name: str, data: Any) -> None:
        """Add plain data, masked by the names in it."""
        counts: Counter[str] = Counter()
        masked = mask_document(data, counts)
        text = json.dumps(masked, indent=1, sort_keys=True, ensure_ascii=False, default=str)
        self.lines(name, lines_of([text.encode("utf-8", "replace")]), before=counts)

    def rows(self, name: str, rows: Iterable[Any]) -> None:
        """Add plain data, one a line."""
        counts: Counter[str] = Counter()
        texts = (json.dumps(mask_document(row, counts), ensure_ascii=False) for row in rows)
        lines = (line for text in texts for line in lines_of([text.encode("utf-8", "replace")]))
        self.lines(name, lines, before=counts)

    def file(self, name: str, path: Path) -> None:
        """Add a text file, its head and its tail; one that is no text is only told of."""
        lines = lines_of_path(path)
        if lines is None:
            self.note(f"`{path}` is listed and not copied: it is no text")
        else:
            self.lines(name, lines)

    def lines(
        self, name: str, lines: Iterable[bytes], *, before: Counter[str] | None = None
    ) -> None:
        """Add lines; `before` counts what was masked in them while they were made."""
        rows = self._while_open(without_key_ends(capped(lines)))
        self.writer.add(name, rows, before=before, is_wanted=lambda: not self.is_closed)
        self.files += 1

    def close(self) -> None:
        """Take nothing more."""
        with self.writer.lock:
            self.is_closed = True

    def note(self, reason: str) -> None:
        """Say that something is missing."""
        self.reasons.append(reason)

    def attempt(self, what: str, collect: Callable[[], None]) -> None:
        """Collect a part that may be missing."""
        try:
            collect()
        except S1Error as error:
            self.is_denied |= error.code in DENIED
            self.note(f"{what}: {error.code}: {error.message}")
        except OSError as error:
            self.is_denied |= isinstance(error, PermissionError)
            self.note(f"{what}: {error.strerror or type(error).__name__}")

    def _while_open(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        for line in lines:
            if self.is_closed:
                raise TooLate
            yield line


Collector = Callable[[Scope], None]


@dataclass(slots=True)
class Collection:
    """Collectors' ends, in their order; `is_interrupted` where the operator had enough."""

    ended: list[Collected] = field(default_factory=list)
    is_interrupted: bool = False


def collect(
    collectors: Mapping[str, Collector],
    writer: BundleWriter,
    *,
    tell: Callable[[str], None],
    is_stopped: Callable[[], bool] = lambda: False,
    budget_s: float = BUDGET_S,
    total_s: float = TOTAL_S,
) -> Collection:
    """Run one collector after the other; raises nothing of theirs.

    When `is_stopped`, or when the whole time is over, the rest is skipped, and says so.
    """
    collection, began = Collection(), time.monotonic()
    for name, collector in collectors.items():
        scope = Scope(name=name, writer=writer)
        left_s = total_s - (time.monotonic() - began)
        collection.is_interrupted |= is_stopped()
        if collection.is_interrupted or left_s <= 0:
            why = "interrupted" if collection.is_interrupted else f"{total_s:.0f} s were over"
            collection.ended.append(_ended(scope, "skipped", 0, f"not begun: {why}"))
            continue
        tell(name)
        ended, is_interrupted = _run(scope, collector, min(budget_s, left_s), is_stopped)
        collection.ended.append(ended)
        collection.is_interrupted |= is_interrupted
    return collection


def _run(
    scope: Scope, collector: Collector, budget_s: float, is_stopped: Callable[[], bool]
) -> tuple[Collected, bool]:
    """Run one collector in a thread of its own; say whether it was not done when that was asked."""
    began, skipped = time.monotonic(), list[str]()
    thread = Thread(
        target=_work, args=(scope, collector, skipped), name=f"collect {scope.name}", daemon=True
    )
    thread.start()
    while thread.is_alive() and time.monotonic() - began < budget_s and not is_stopped():
        thread.join(SLICE_S)
    is_late = thread.is_alive()
    scope.close()
    took_ms = int((time.monotonic() - began) * 1000)
    if not is_late:
        return _ended(scope, _status(scope, is_skipped=bool(skipped)), took_ms), False
    if is_stopped():
        return _ended(scope, "partial", took_ms, "interrupted"), True
    return _ended(scope, "timeout", took_ms, f"not done within {budget_s:.0f} s"), False


def _work(scope: Scope, collector: Collector, skipped: list[str]) -> None:
    try:
        scope.attempt(scope.name, lambda: collector(scope))
    except Skipped as reason:
        skipped.append(str(reason))
        scope.note(str(reason))
    except TooLate:
        return
    except Exception as error:  # noqa: BLE001 - a bug in one collector must not cost the others' parts
        scope.note(f"a bug: {type(error).__name__}; see bugs/{scope.name}.txt")
        scope.text(f"bugs/{scope.name}.txt", "".join(traceback.format_exception(error)))


def _status(scope: Scope, *, is_skipped: bool) -> Status:
    if not scope.reasons:
        return "ok"
    if scope.is_denied and not scope.files:
        return "denied"
    return "skipped" if is_skipped or not scope.files else "partial"


def _ended(scope: Scope, status: Status, took_ms: int, reason: str | None = None) -> Collected:
    reasons = [*scope.reasons, *([reason] if reason else [])]
    return Collected(
        name=scope.name,
        status=status,
        reasons=tuple(scope.writer.line(text) for text in reasons),
        files=scope.files,
        duration_ms=took_ms,
    )
