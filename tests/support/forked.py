"""Command lines as processes of their own, which something happens to at a chosen event.

They are forked from the test's process: as real as any, without the second of imports.
"""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from s1ctl.cli import watch
from s1ctl.cli.main import run
from s1ctl.operation.events import Event

TIMEOUT_S = 120
_numbers = count(1)


@dataclass(frozen=True, kw_only=True)
class At:
    """The first event that is `this`: the process gets a signal, or `act` is called in it."""

    this: Callable[[Event], bool]
    how: signal.Signals | None = None
    act: Callable[[], None] | None = None

    def happen(self) -> None:
        if self.act is not None:
            self.act()
        if self.how is not None:
            os.kill(os.getpid(), self.how)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a process ended: its exit code, or the negative number of the signal."""

    status: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"status {self.status}\n--- stdout\n{self.out}--- stderr\n{self.err}"


@dataclass(frozen=True, kw_only=True)
class Forked:
    """A process that runs one command line."""

    pid: int
    out: Path
    err: Path

    def wait(self) -> Ended:
        until = time.monotonic() + TIMEOUT_S
        while time.monotonic() < until:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                return Ended(status=code, out=self.out.read_text(), err=self.err.read_text())
            time.sleep(0.005)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise TimeoutError(f"it did not end:\n{self.out.read_text()}{self.err.read_text()}")


def start(
    words: Sequence[object],
    *,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    at: At | None = None,
) -> Forked:
    """Begin a command line."""
    number = next(_numbers)
    out, err = folder / f"{number}.out", folder / f"{number}.err"
    pid = os.fork()
    if pid == 0:
        _be(["s1ctl", *map(str, words)], out, err, environment or {}, at)
    return Forked(pid=pid, out=out, err=err)


def _be(
    argv: list[str], out: Path, err: Path, environment: Mapping[str, str], at: At | None
) -> None:
    """Become a program that was just started, and end as it ends; never comes back."""
    code = 1
    try:
        for number, place in ((1, out), (2, err)):
            os.dup2(os.open(place, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.update(environment)
        sys.argv = argv
        if at is not None:
            _arm(at)
        run()
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os._exit(code)


def _arm(at: At) -> None:
    tell = watch._Watcher.__call__
    armed = [at]

    def told(self: object, event: Event) -> None:
        tell(self, event)  # type: ignore[arg-type]
        if armed and at.this(event):
            armed.clear()
            at.happen()

    watch._Watcher.__call__ = told  # type: ignore[method-assign]
