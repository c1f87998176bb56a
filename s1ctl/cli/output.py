"""What is written where: the result on stdout, all else on stderr."""

import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from s1ctl.errors import S1Error

_HEAD = re.compile(r"\s*(\d+(/\d+)?  )?")
RED, BOLD, PLAIN = "\x1b[31;1m", "\x1b[1m", "\x1b[0m"


class Output:
    """Writes results, messages and errors; text from elsewhere loses its control characters."""

    def __init__(self, *, is_json: bool, has_colour: bool) -> None:
        self.is_json = is_json
        self._has_colour = has_colour

    def result(self, text: str | Iterable[str], data: object) -> None:
        """Write the result: `data` as one JSON document if that was asked for, else `text`."""
        if self.is_json:
            _write(sys.stdout, json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False))
        else:
            lines = [text] if isinstance(text, str) else text
            _write(sys.stdout, "\n".join(printable(line) for line in lines))

    def say(self, text: str) -> None:
        """Write a line about what goes on."""
        _write(sys.stderr, printable(text))

    def error(self, error: S1Error, code: int) -> None:
        """Write an error with its code and hint; as JSON it is the result."""
        if self.is_json:
            self.result("", {"error": error_document(error, code)})
        label = self._paint(f"error[{error.code}]", RED)
        _write(sys.stderr, f"{label}: {printable(error.message)}")
        _write(sys.stderr, f"{self._paint('hint', BOLD)}: {printable(error.hint)}")

    def _paint(self, text: str, colour: str) -> str:
        return f"{colour}{text}{PLAIN}" if self._has_colour else text


@contextmanager
def unheard() -> Iterator[None]:
    """Go on where nobody reads any more: what was done, and the exit code, stay what they are."""
    try:
        yield
    except OSError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123


def error_document(error: S1Error, code: int) -> dict[str, object]:
    """Make the plain data of an error."""
    return {"code": error.code, "message": error.message, "hint": error.hint, "exit": code}


def printable(text: str) -> str:
    """Escape what a terminal would obey instead of showing."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out rows in columns, two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def fitted(text: str, width: int) -> str:
    """Break lines between words where they are wider than `width`; what hangs over is indented."""
    lines = text.split("\n")
    return "\n".join(line if len(line) <= width else _broken(line, width) for line in lines)


def _broken(line: str, width: int) -> str:
    found = _HEAD.match(line)
    indent = " " * (found.end() if found else 0)
    return textwrap.fill(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _write(stream: TextIO, text: str) -> None:
    if stream.isatty():
        text = fitted(text, shutil.get_terminal_size().columns)
    stream.write(text + "\n")
    stream.flush()
