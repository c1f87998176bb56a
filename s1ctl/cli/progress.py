"""Progress as a person sees it: one line that moves on a terminal, a few quiet ones elsewhere."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TextIO

from s1ctl.cli.output import printable
from s1ctl.progress import Progress

EVERY_S = {True: 0.2, False: 10.0}
CLEAR = "\r\x1b[K"
UNKNOWN_AGE = "not known: the clock was set back"
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


@dataclass(slots=True, kw_only=True)
class _Track:
    began: float
    first: int
    shown: float


class ProgressLine:
    """Shows the `Progress` of doers on `stream`; call it as their `notify`.

    Those with the same total are one thing, whichever part of it the label names at the moment.
    `is_quiet` is for who writes lines of his own at start and end.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        is_terminal: bool,
        is_silent: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._is_terminal = is_terminal
        self._is_silent = is_silent
        self._clock = clock
        self._tracks: dict[tuple[str, int | str], _Track] = {}
        self._is_open = False
        self._written = -EVERY_S[False]
        self.is_quiet = False

    def __call__(self, progress: Progress) -> None:
        """Show a state of progress, unless one was shown a moment ago."""
        if self._is_silent:
            return
        now = self._clock()
        key = (progress.unit, progress.total or progress.label)
        is_new = key not in self._tracks
        if is_new:
            self._tracks[key] = _Track(began=now, first=progress.done, shown=now)
        track = self._tracks[key]
        is_done = 0 < progress.total <= progress.done
        if self._is_due(track, now, is_end=is_new or is_done):
            track.shown = self._written = now
            self._show(describe(progress, now - track.began, track.first), is_done=is_done)
        if is_done:
            del self._tracks[key]

    def close(self) -> None:
        """Leave the line that moves, so that what follows begins on its own."""
        if self._is_open:
            self._is_open = False  # first: a stream that has gone is tried once
            self._stream.write(CLEAR if self.is_quiet else "\n")
            self._stream.flush()

    def _is_due(self, track: _Track, now: float, *, is_end: bool) -> bool:
        """Say whether to write: at start, end and once in a while; when quiet only the last."""
        if self.is_quiet and not self._is_terminal:
            return now - max(self._written, track.began) >= EVERY_S[False]
        return is_end or now - track.shown >= EVERY_S[self._is_terminal]

    def _show(self, text: str, *, is_done: bool) -> None:
        if not self._is_terminal:
            self._stream.write(text + "\n")
        else:
            width = shutil.get_terminal_size().columns - 1
            is_kept = is_done and not self.is_quiet
            self._stream.write(CLEAR + text[:width] + ("\n" if is_kept else ""))
            self._is_open = not is_kept
        self._stream.flush()


def describe(progress: Progress, seconds: float, first: int = 0) -> str:
    """Say how far it is; rate and time left are those since it began."""
    if not progress.done and not progress.total:
        return printable(progress.label)
    is_bytes = progress.unit == "bytes"
    amount = size if is_bytes else (lambda n: f"{n:,}")
    unit = "" if is_bytes else f" {progress.unit}"
    parts = [amount(progress.done) + unit]
    if progress.total:
        parts[0] = f"{amount(progress.done)} of {amount(progress.total)}{unit}"
    rate = (progress.done - first) / seconds if seconds >= 0.5 else 0.0
    if rate > 0:
        parts.append(f"{amount(round(rate))}{unit}/s")
    if 0 < progress.done < progress.total and rate > 0:
        parts.append(f"{duration((progress.total - progress.done) / rate)} left")
    elif 0 < progress.total <= progress.done:
        parts.append(f"done in {duration(seconds)}")
    return f"{printable(progress.label)}: " + ", ".join(parts)


def size(count: int) -> str:
    """Write a number of bytes in the largest unit that fits."""
    amount, place = float(count), 0
    while amount >= 1024 and place < len(UNITS) - 1:
        amount, place = amount / 1024, place + 1
    return f"{count} B" if not place else f"{amount:.1f} {UNITS[place]}"


def ago(at: datetime, now: datetime) -> str:
    """Say how long ago something was; what lies ahead was written by a clock that was set back."""
    seconds = (now - at).total_seconds()
    return f"{duration(seconds)} ago" if seconds >= 0 else UNKNOWN_AGE


def duration(seconds: float) -> str:
    """Write a time as a person says it."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{round(minutes / 1440)} days"
