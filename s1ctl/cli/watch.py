"""Events as a person sees them, and as NDJSON for who asked for it."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import IO

from s1ctl.canonical import canonical_json
from s1ctl.cli.context import Here
from s1ctl.cli.output import printable
from s1ctl.cli.progress import duration
from s1ctl.errors import InputOutputFailed
from s1ctl.operation.events import Event, Observe
from s1ctl.progress import Progress
from s1ctl.shape import plain


@contextmanager
def watching(here: Here, events: str | None) -> Iterator[Observe]:
    """Show events on stderr, keep them in the site's logs, and write them where `events` says."""
    with _Watcher(here, _open(events) if events else None) as watcher:
        yield watcher


class _Watcher:
    def __init__(self, here: Here, stream: IO[bytes] | None) -> None:
        self._here = here
        self._stream = stream
        self._log: IO[bytes] | None = None
        self._broken: set[str] = set()
        self._began: dict[int, float] = {}
        here.notify.is_quiet = True

    def __enter__(self) -> "_Watcher":
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._stream, self._log):
            if file is not None:
                with suppress(OSError):
                    file.close()

    def __call__(self, event: Event) -> None:
        """Tell an event wherever it can be told; what cannot be written to is warned of once."""
        raw = canonical_json(plain(event)) + b"\n"
        self._guarded("the event stream", lambda: _write(self._stream, raw))
        if event.event != "progress":
            self._guarded("the operation's log", lambda: _write(self._own_log(event), raw))
        self._guarded("stderr", lambda: self._show(event))

    def _guarded(self, name: str, write: Callable[[], None]) -> None:
        """Write, and never again where that failed: watching must not end an operation."""
        if name in self._broken:
            return
        try:
            write()
        except (OSError, ValueError) as error:
            self._broken.add(name)
            with suppress(OSError, ValueError):
                self._here.output.say(f"warning: {name} cannot be written to any more: {error}")

    def _show(self, event: Event) -> None:
        if event.event == "progress":
            self._here.notify(
                Progress(
                    label=f"         {event.text}",
                    done=event.done,
                    total=event.size,
                    unit=event.unit,
                )
            )
            return
        self._here.close()
        for line in self._lines(event):
            self._here.output.say(line)

    def _lines(self, event: Event) -> list[str]:
        label = f"{event.number:>3}/{event.total}"
        back = "take back: " if event.direction == "undo" else ""
        if event.event == "hook":
            fault = (event.record or {}).get("fault")
            return [f"warning: {printable(event.text)}" if fault else printable(event.text)]
        if event.event == "opened":
            return [f"operation {event.operation}: {event.text}"]
        if event.event == "intent":
            self._began[event.number] = monotonic()
            if sys.stderr.isatty():
                self._here.notify(
                    Progress(label=f"{label}  {back}{event.text}", done=0, total=0, unit="steps")
                )
            return [f"{label}  {back}begin: {event.text}"] if self._is_verbose else []
        more = [f"         record: {_json(event)}"] if self._is_verbose and event.record else []
        if event.event == "failed":
            return [f"{label}  {back}failed{self._took(event)}: {printable(event.text)}", *more]
        if event.event == "done":
            found = " (was there)" if (event.record or {}).get("found") else ""
            return [f"{label}  {back}{event.text}{found or self._took(event)}", *more]
        return []

    @property
    def _is_verbose(self) -> bool:
        return self._here.output.is_verbose

    def _took(self, event: Event) -> str:
        began = self._began.pop(event.number, None)
        return "" if began is None else f" ({duration(monotonic() - began)})"

    def _own_log(self, event: Event) -> IO[bytes]:
        if self._log is None:
            folder = self._here.site.state / "logs"
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._log = (folder / f"{event.operation}.ndjson").open("ab")
        return self._log


def _json(event: Event) -> str:
    return canonical_json(plain(event.record)).decode("utf-8")


def _write(file: IO[bytes] | None, raw: bytes) -> None:
    if file is not None:
        file.write(raw)
        file.flush()


def _open(place: str) -> IO[bytes]:
    """Open the event stream: a file, which is added to, or a duplicate of an open descriptor."""
    try:
        return os.fdopen(os.dup(int(place)), "wb") if place.isdecimal() else Path(place).open("ab")
    except OSError as error:
        raise InputOutputFailed(
            f"events cannot be written to `{place}`: {error.strerror}",
            code="S1-I02",
            hint="name a file, or the number of an open descriptor",
        ) from None
