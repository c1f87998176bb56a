"""Command lines as processes of their own, which something happens to at a chosen event.

They are forked from the test's process: as real as any, without the second of imports.
"""

import os
import pkgutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import NoReturn

from s1ctl.cli import watch
from s1ctl.cli.main import run
from s1ctl.operation.events import Event
from tests.support.schemas import heard

TIMEOUT_S = 120
_numbers = count(1)


@dataclass(frozen=True, kw_only=True)
class At:
    """The first event that is `this`, or the first call of the thing with the dotted name `call`.

    Then `act` is called in the process, and it gets `signals`.
    """

    this: Callable[[Event], bool] = lambda _: False
    call: str = ""
    act: Callable[[], object] = tuple
    signals: tuple[signal.Signals, ...] = ()

    def happen(self) -> None:
        self.act()
        for number in self.signals:
            os.kill(os.getpid(), number)


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

    words: Sequence[object]
    pid: int
    out: Path
    err: Path

    def wait(self) -> Ended:
        until = time.monotonic() + TIMEOUT_S
        while time.monotonic() < until:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return self._ended(os.waitstatus_to_exitcode(status))
            time.sleep(0.005)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise TimeoutError(f"it did not end:\n{self.out.read_text()}{self.err.read_text()}")

    def _ended(self, status: int) -> Ended:
        ended = Ended(status=status, out=self.out.read_text(), err=self.err.read_text())
        assert status < 0 or heard(self.words, ended.out) == "", ended
        return ended


def start(
    words: Sequence[object],
    *,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    at: Sequence[At] = (),
) -> Forked:
    """Begin a command line."""
    number = next(_numbers)
    out, err = folder / f"{number}.out", folder / f"{number}.err"
    pid = os.fork()
    if pid == 0:
        _redirect(out, err)
        be(words, environment=environment, at=at)
    return Forked(words=words, pid=pid, out=out, err=err)


def be(
    words: Sequence[object],
    *,
    environment: Mapping[str, str] | None = None,
    at: Sequence[At] = (),
) -> NoReturn:
    """Become, in a forked process, a program that was just started, and end as it ends."""
    code = 1
    try:
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.update(environment or {})
        sys.argv = ["s1ctl", *map(str, words)]
        for one in at:
            _arm(one)
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


def _redirect(out: Path, err: Path) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, place in ((1, out), (2, err)):
        os.dup2(os.open(place, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), number)


def _arm(at: At) -> None:
    armed = [at]

    def strike() -> None:
        if armed:
            armed.pop().happen()

    if at.call:
        _before(at.call, strike)
        return
    tell = watch._Watcher.__call__

    def told(self: object, event: Event) -> None:
        tell(self, event)  # type: ignore[arg-type]
        if at.this(event):
            strike()

    watch._Watcher.__call__ = told  # type: ignore[method-assign]


def _before(name: str, strike: Callable[[], None]) -> None:
    """Have `strike` called before what `module.thing`, or `module.Class.method`, is."""
    owner, _, attribute = name.rpartition(".")
    place = pkgutil.resolve_name(owner)
    real = getattr(place, attribute)

    def struck(*arguments: object, **options: object) -> object:
        strike()
        return real(*arguments, **options)

    setattr(place, attribute, struck)
