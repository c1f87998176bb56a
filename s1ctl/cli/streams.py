"""The three streams as the operator gave them: closed, not UTF-8, full, or gone."""

import locale
import os
import sys
from typing import TextIO

MARK = "S1CTL_STARTED_ANEW"
CLOSED = ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY))


def prepare() -> None:
    """Make the process independent of locale and of what was closed; may start it anew, once.

    Names of files are bytes that mean UTF-8 here, whatever the locale says; only an interpreter
    in its UTF-8 mode takes them so.
    """
    _open_closed()
    _start_in_utf8()
    for stream in (sys.stdout, sys.stderr):
        encoding = locale.getencoding() if stream.isatty() else "utf-8"
        stream.reconfigure(encoding=encoding, errors="backslashreplace")  # type: ignore[union-attr]


def _start_in_utf8() -> None:
    """Start anew in the UTF-8 mode, once: a frozen program may not take the option."""
    was_started = os.environ.pop(MARK, None) is not None
    if was_started or sys.flags.utf8_mode or sys.getfilesystemencoding().lower() == "utf-8":
        return
    words = [sys.executable, "-X", "utf8", *sys.orig_argv[1:]]
    os.execve(sys.executable, words, {**os.environ, MARK: "1"})  # noqa: S606


def settle() -> None:
    """Write out what stdout still holds, or give up on it: the exit code is not to change later."""
    try:
        sys.stdout.flush()
    except OSError:
        sys.stdout = silence(sys.stdout)


def silence(stream: TextIO) -> TextIO:
    """Make what takes the place of a stream that cannot be written to.

    Of the process's own stdout the descriptor goes there too, or what it still holds would fail
    once more at the very end, and change the exit code.
    """
    silent = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    if stream is sys.__stdout__:
        os.dup2(silent.fileno(), stream.fileno())
    return silent


def _open_closed() -> None:
    """Put something in the place of closed streams, so that no file we open gets their numbers.

    A closed stdout becomes one that refuses what is written; a closed stderr swallows it.
    """
    for number, flags in CLOSED:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # the lowest number that is free: this one
    names = ("stdin", "stdout", "stderr")
    for number, name in enumerate(names):
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
