"""The ledger as it lies on the disk, read without SQLite's help: where nothing can be written.

SQLite writes even to read: the index of its write-ahead log. On a disk that is full or read-only
that fails, and just then a site must be looked at. File format: sqlite.org/fileformat2.html, 4.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from s1ctl.errors import InputOutputFailed

LOG = "-wal"
LOG_HEADER, FRAME_HEADER = 32, 24
LITTLE, BIG = 0x377F0682, 0x377F0683
ROLLBACK_MODE = b"\x01\x01"  # bytes 18 and 19: of a file that has no log
TRIES = 5


def read_snapshot(path: Path) -> bytes:
    """Read the ledger with what its log has committed, as one file.

    Read again where another process changed either meanwhile; the pages are checked by whoever
    opens the result. Raises `OSError`, and `InputOutputFailed` S1-I24 where it changes each time.
    """
    for _ in range(TRIES):
        before = _stands(path)
        raw, log = path.read_bytes(), _read_log(path)
        if _stands(path) == before:
            return merged(raw, log)
    raise InputOutputFailed(
        f"the ledger `{path}` is in use: it changed while it was read, {TRIES} times",
        code="S1-I24",
        hint="wait, then repeat; `s1ctl lock show` says who",
    )


def merged(raw: bytes, log: bytes) -> bytes:
    """Put the committed pages of a log into a database."""
    pages, count, size = _committed(log)
    whole = bytearray(raw)
    if count:
        whole = whole[: count * size].ljust(count * size, b"\0")
    for number, page in pages.items():
        if number <= count:
            whole[(number - 1) * size : number * size] = page
    if len(whole) > 20:
        whole[18:20] = ROLLBACK_MODE
    return bytes(whole)


def _committed(log: bytes) -> tuple[dict[int, bytes], int, int]:
    """Find the newest committed state of each page, the size in pages, and a page's bytes."""
    if len(log) < LOG_HEADER or _word(log, 0) not in (LITTLE, BIG):
        return {}, 0, 0
    size, count = _word(log, 8), 0
    found: dict[int, bytes] = {}
    new: dict[int, bytes] = {}
    for number, total, page in _frames(log, size):
        new[number] = page
        if total:
            found |= new
            new, count = {}, total
    return found, count, size


def _frames(log: bytes, size: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield page number, size after the commit or 0, and page, up to the first torn frame."""
    order = "<" if _word(log, 0) == LITTLE else ">"
    sums = _checksum((0, 0), log[:24], order)
    if sums != (_word(log, 24), _word(log, 28)):
        return
    for start in range(LOG_HEADER, len(log), FRAME_HEADER + size):
        frame = log[start : start + FRAME_HEADER + size]
        if len(frame) < FRAME_HEADER + size or frame[8:16] != log[16:24]:
            return
        page = frame[FRAME_HEADER:]
        sums = _checksum(_checksum(sums, frame[:8], order), page, order)
        if sums != (_word(frame, 16), _word(frame, 20)):
            return
        yield _word(frame, 0), _word(frame, 4), page


def _checksum(sums: tuple[int, int], raw: bytes, order: str) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(raw) // 4}I", raw)
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second


def _word(raw: bytes, place: int) -> int:
    return int.from_bytes(raw[place : place + 4], "big")


def _read_log(path: Path) -> bytes:
    try:
        return path.with_name(path.name + LOG).read_bytes()
    except FileNotFoundError:
        return b""


def _stands(path: Path) -> list[tuple[int, int, int] | None]:
    return [_stand(path), _stand(path.with_name(path.name + LOG))]


def _stand(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
