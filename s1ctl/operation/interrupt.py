"""Interrupts: SIGINT, SIGTERM and SIGHUP stop an operation between effects and their records."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def obey_signals() -> None:
    """Have all of these signals end the program as Ctrl-C does, for the whole of its time.

    Without that the system ends it at once, and nobody cleans up. One that is ignored stays so
    (`nohup`).
    """
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


class Interrupts:
    """Turns these signals into one `KeyboardInterrupt`, but never inside `shielded()`.

    What comes after it, while things are put in order, is held back: somebody is impatient.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._is_pending = False
        self._is_raised = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the signals for the time of the block; main thread only.

        One that is ignored stays so (`nohup`).
        """
        heard = [n for n in SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
        former = [(number, signal.signal(number, self._handle)) for number in heard]
        try:
            yield
        finally:
            for number, handler in former:
                signal.signal(number, handler)

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Hold an interrupt back until the block is done: the ledger is written whole."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._is_pending and self._depth == 0:
                self._raise()

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Let nothing interrupt the block, and forget what tried to, but in `heard()`."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            self._is_pending = self._is_pending and self._depth > 0

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Let one interrupt through again inside `closing()`, also one that came before."""
        depth = self._depth
        try:
            self._depth, self._is_raised = 0, False
            if self._is_pending:
                self._raise()
            yield
        finally:
            self._depth = depth

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self._depth or self._is_raised:
            self._is_pending = True
        else:
            self._raise()

    def _raise(self) -> None:
        self._is_pending, self._is_raised = False, True
        raise KeyboardInterrupt
