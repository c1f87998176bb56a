"""What is written where: the result on stdout, all else on stderr."""

import json
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TextIO

from s1ctl.cli.streams import silence
from s1ctl.errors import InputOutputFailed, S1Error

_HEAD = re.compile(r"\s*(\d+(/\d+)?  )?")
WIDTH = 80
RED, BOLD, PLAIN = "\x1b[31;1m", "\x1b[1m", "\x1b[0m"


class Output:
    """Writes results, messages and errors; text from elsewhere loses its control characters."""

    def __init__(
        self,
        *,
        is_json: bool,
        has_colour: bool,
        is_quiet: bool = False,
        is_verbose: bool = False,
    ) -> None:
        self.is_json = is_json
        self.is_quiet = is_quiet
        self.is_verbose = is_verbose
        self._has_colour = has_colour

    def result(self, text: str | Iterable[str], data: object) -> None:
        """Write the result: `data` as one JSON document if that was asked for, else `text`.

        Raises `InputOutputFailed` S1-I93 where stdout takes nothing.
        """
        if self.is_json:
            is_ascii = (getattr(sys.stdout, "encoding", None) or "utf-8").lower() != "utf-8"
            text = json.dumps(data, indent=2, sort_keys=True, ensure_ascii=is_ascii)
        else:
            lines = [text] if isinstance(text, str) else text
            text = "\n".join(printable(line) for line in lines)
        try:
            _write(sys.stdout, text)
        except OSError as error:
            sys.stdout = silence(sys.stdout)
            raise InputOutputFailed(
                f"the result cannot be written to stdout: {error.strerror}",
                code="S1-I93",
                hint="make room, or send it elsewhere; `s1ctl status` says how the site stands",
            ) from None

    def say(self, text: str, *, is_vital: bool = False) -> None:
        """Write a line about what goes on; `--quiet` leaves out what is not vital."""
        if is_vital or not self.is_quiet:
            _heard(text)

    def tell(self, text: str) -> None:
        """Write a detail that only `--verbose` wants."""
        if self.is_verbose:
            _heard(text)

    @contextmanager
    def requests_told(self) -> Iterator[None]:
        """With `--verbose`, tell each request of the libraries: method, path, status; no more."""
        if not self.is_verbose:
            yield
            return
        from s1ctl.cli.requests import told

        with told(self.tell):
            yield

    def error(self, error: S1Error, code: int) -> None:
        """Write an error with its code and hint; as JSON it is the result."""
        if self.is_json:
            self.result("", {"error": error_document(error, code)})
        self.error_text(error)

    def fault(self, name: str, text: str, *, hint: str, code: int) -> None:
        """Write an end that is no refusal; as JSON it is the result."""
        if self.is_json:
            error = {"code": name, "message": text, "hint": hint, "exit": code}
            with unheard():
                self.result("", {"error": error})
        self.say(text, is_vital=True)

    def error_text(self, error: S1Error) -> None:
        """Write an error for people; where stderr takes nothing either, the exit code says it."""
        label = self._paint(f"error[{error.code}]", RED)
        with suppress(OSError):
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
        sys.stdout = silence(sys.stdout)
    except InputOutputFailed:
        return


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


def width() -> int:
    """Say how wide lines may be: 80 columns, or what the terminal has where that is less."""
    if not sys.stdout.isatty():
        return WIDTH
    return max(min(WIDTH, shutil.get_terminal_size().columns), 20)


def fitted(text: str, columns: int) -> str:
    """Break lines between words where they are wider than that; what hangs over is indented.

    A word that is wider alone, such as a digest or a path, stays whole: it is there to be copied.
    """
    lines = text.split("\n")
    return "\n".join(line if len(line) <= columns else _broken(line, columns) for line in lines)


def _broken(line: str, columns: int) -> str:
    found = _HEAD.match(line)
    indent = " " * (found.end() if found else 0)
    return textwrap.fill(
        line, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _heard(text: str) -> None:
    """Write to stderr; where that takes nothing, going on matters more."""
    with suppress(OSError):
        _write(sys.stderr, printable(text))


def _write(stream: TextIO, text: str) -> None:
    if stream.isatty():
        text = fitted(text, shutil.get_terminal_size().columns)
    stream.write(text + "\n")
    stream.flush()
