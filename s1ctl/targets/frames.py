"""What an engine streams: the frames of an attached container, the lines of a pull."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from s1ctl.errors import InputOutputFailed

HEADER_BYTES = 8


def read_frames(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield (1, stdout) and (2, stderr) until the end (Docker API, "Attach to a container").

    Raises `InputOutputFailed` S1-E13 when the stream ends inside a frame.
    """
    stream, left, header = 0, 0, b""
    for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            if not left:
                wanted = HEADER_BYTES - len(header)
                header, rest = header + bytes(rest[:wanted]), rest[wanted:]
                if len(header) == HEADER_BYTES:
                    stream, left, header = header[0], int.from_bytes(header[4:], "big"), b""
                continue
            part, rest = bytes(rest[:left]), rest[left:]
            left -= len(part)
            yield stream, part
    if left or header:
        raise _broken("was cut off")


def read_lines(chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a stream, one a line. Raises `InputOutputFailed` S1-E13."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (_parse(line) for line in lines if line.strip())
    if rest.strip():
        yield _parse(rest)


def _parse(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        raise _broken("is not JSON") from None
    if not isinstance(found, dict):
        raise _broken("is not JSON")
    return found


def _broken(what: str) -> InputOutputFailed:
    return InputOutputFailed(
        f"the engine's stream {what}",
        code="S1-E13",
        hint="look at `journalctl -u docker`, then repeat",
    )
