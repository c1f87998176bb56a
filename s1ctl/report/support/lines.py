"""Read any source as blocks of whole lines, in bounded memory: capped, and no line too long."""

import io
import os
import re
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from s1ctl.masking.redact import KEY_LINES
from s1ctl.masking.rules import MASK

MIB = 1 << 20
LINE_BYTES = 512 * 1024  # a plan of many units is one line of the ledger
BLOCK_BYTES = 256 * 1024
HEAD_BYTES = 2 * MIB
TAIL_BYTES = 8 * MIB
LOOK_BYTES = 8 * 1024
CUT = b"<cut: the middle of this file is left out>\n"
LONG = f"{MASK[:-1]} a line that is too long>\n".encode()
_KEY = re.compile(rb"-----(BEGIN|END) [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
_MAGIC = (b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh", b"SQLite format 3")


def is_binary(first: bytes) -> bool:
    """Say whether a file that begins so is no text: an archive, or anything with zero bytes."""
    return b"\0" in first or first.startswith(_MAGIC)


def read_ends(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the lines of a file; of a large one those of its head and its tail only."""
    if size <= HEAD_BYTES + TAIL_BYTES:
        yield from lines_of(_chunks(file, size))
        return
    yield from _without_part(lines_of(_chunks(file, HEAD_BYTES)))
    yield CUT
    file.seek(size - TAIL_BYTES)
    rest = lines_of(_chunks(file, TAIL_BYTES))
    next(rest, None)  # its beginning was cut off, and with that what tells a secret
    yield from rest


def capped(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the head and the tail of a stream whose size is not known before."""
    head, tail, size, is_cut = 0, deque[bytes](), 0, False
    for line in lines:
        if head + len(line) <= HEAD_BYTES and not tail:
            head += len(line)
            yield line
            continue
        tail.append(line)
        size += len(line)
        while size > TAIL_BYTES:
            size -= len(tail.popleft())
            is_cut = True
    if is_cut:
        yield CUT
    yield from tail


def without_key_ends(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Mask the end of a private key whose beginning is not there: at the start, and after a cut."""
    held: list[bytes] | None = []
    for line in lines:
        if line in (CUT, LONG):
            yield from (*(held or ()), line)
            held = []
        elif held is None:
            yield line
        else:
            held.append(line)
            mark = _KEY.search(line)
            if mark and mark[1] == b"END":
                held = [MASK.encode() + line[mark.end() :]]
            if mark or len(held) >= KEY_LINES:
                yield from held
                held = None
    yield from held or ()


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut chunks into lines that end in a newline; one that is too long is not passed on."""
    rest, is_long = b"", False
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield LONG if is_long or len(line) > LINE_BYTES else line + b"\n"
            is_long = False
        if len(rest) > LINE_BYTES:
            rest, is_long = b"", True
    if rest or is_long:
        yield LONG if is_long else rest + b"\n"


def blocks_of(lines: Iterable[bytes]) -> Iterator[str]:
    """Join lines to blocks of text; zero bytes go, so that nothing hides behind them."""
    block = io.BytesIO()
    for line in lines:
        block.write(line)
        if block.tell() >= BLOCK_BYTES:
            yield _text(block)
            block = io.BytesIO()
    if block.tell():
        yield _text(block)


def lines_of_path(path: Path) -> "Iterator[bytes] | None":
    """Read a regular file's lines; None where it is no text. Raises `OSError`."""
    with path.open("rb") as file:
        if is_binary(file.read(LOOK_BYTES)):
            return None
    return _read(path)


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from read_ends(file, os.fstat(file.fileno()).st_size)


def _chunks(file: BinaryIO, size: int) -> Iterator[bytes]:
    while size > 0 and (chunk := file.read(min(BLOCK_BYTES, size))):
        size -= len(chunk)
        yield chunk


def _without_part(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Leave out the last line: it is cut, and may hold half of a secret."""
    held = next(lines, None)
    for line in lines:
        if held is not None:
            yield held
        held = line


def _text(block: io.BytesIO) -> str:
    return block.getvalue().decode("utf-8", "replace").replace("\0", "")
