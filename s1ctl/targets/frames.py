"""The stream of an attached container: stdout and stderr in frames."""

from collections.abc import Callable, Iterator

HEADER_BYTES = 8
CHUNK_BYTES = 1 << 20
Read = Callable[[int], bytes | None]


def read_frames(read: Read) -> Iterator[tuple[int, bytes]]:
    """Yield (1, stdout) and (2, stderr) until the end (Docker API, "Attach to a container").

    Raises `OSError` when the stream ends inside a frame.
    """
    while header := _read_exactly(read, HEADER_BYTES, may_end=True):
        left = int.from_bytes(header[4:], "big")
        while left:
            chunk = _read_exactly(read, min(left, CHUNK_BYTES))
            left -= len(chunk)
            yield header[0], chunk


def _read_exactly(read: Read, count: int, *, may_end: bool = False) -> bytes:
    parts = b""
    while len(parts) < count:
        part = read(count - len(parts))
        if not part:
            if may_end and not parts:
                return b""
            raise OSError("the stream of the container was cut off")
        parts += part
    return parts
