"""Interrupts: SIGINT, SIGTERM and SIGHUP stop an operation between effects and their records."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Turns these signals into `KeyboardInterrupt`, but never inside `shielded()`."""

    def __init__(self) -> None:
        self._depth = 0
        self._is_pending = False

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
                self._is_pending = False
                raise KeyboardInterrupt

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Let nothing interrupt the block, and forget what tried to: it is the end anyway."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            self._is_pending = self._is_pending and self._depth > 0

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self._depth:
            self._is_pending = True
        else:
            raise KeyboardInterrupt
