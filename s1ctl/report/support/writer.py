"""Write a support bundle: `BundleWriter.add` is the one way in, and it masks everything."""

import errno
import gzip
import hashlib
import os
import re
import secrets
import shutil
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import IO

from s1ctl.errors import InputOutputFailed, UsageError
from s1ctl.files import sync_folder
from s1ctl.masking.redact import Redactor, Stream
from s1ctl.report.support.lines import blocks_of

MOST_FILES = 2000
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_UNSAFE = re.compile(r"[^\w.<>*@:+=-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file of the bundle, as it is after masking."""

    name: str
    size_bytes: int
    sha256: str
    masked: dict[str, int] = field(default_factory=dict)


class BundleWriter:
    """Takes files in any order, masks them, and at the end writes them sorted into one archive.

    Without a `folder` it only measures. Threads may add at the same time.
    """

    def __init__(self, redactor: Redactor, folder: Path | None) -> None:
        self.members: dict[str, Member] = {}
        self._redactor = redactor
        self._folder = folder
        self._names: set[str] = set()
        self.lock = Lock()

    def add(
        self,
        name: str,
        lines: Iterable[bytes],
        *,
        before: Counter[str] | None = None,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """Add a text file from its lines, whole or not at all. Raises `OSError`.

        The name is masked too; one that is there already gets a number. `before` counts what was
        masked before, while the lines were made. `is_wanted` is asked when the file is complete:
        one that comes too late is not taken.
        """
        counts: Counter[str] = Counter()
        shown = self._redactor.line(name, counts)
        safe = "/".join(_UNSAFE.sub("_", part) for part in shown.split("/") if part.strip("."))
        stream, digest, size = Stream(self._redactor), hashlib.sha256(), 0
        safe = self._reserve(safe)
        with self._sink(safe) as sink:
            for block in blocks_of(lines):
                raw = stream.mask(block).encode()
                digest.update(raw)
                size += len(raw)
                sink.write(raw)
        total = counts + stream.counts + (before or Counter())
        masked = {rule: n for rule, n in sorted(total.items()) if n}
        made = Member(name=safe, size_bytes=size, sha256=digest.hexdigest(), masked=masked)
        with self.lock:
            if is_wanted() and len(self.members) < MOST_FILES:
                self.members[safe] = made

    def line(self, text: str) -> str:
        """Mask a text that is shown elsewhere, as it would be in the bundle."""
        return self._redactor.line(text, Counter())

    def write(self, path: Path) -> None:
        """Write the archive: sorted names, no times, no owners: same files, same bytes."""
        assert self._folder is not None
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with (
                gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed,
                tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
            ):
                for name, member in sorted(self.members.items()):
                    info = tarfile.TarInfo(name)
                    info.size, info.mode = member.size_bytes, 0o600
                    with self._place(name).open("rb") as source:
                        archive.addfile(info, source)
            file.flush()
            os.fsync(file.fileno())

    def _reserve(self, name: str) -> str:
        with self.lock:
            number, free = 1, name
            while free in self._names:
                number += 1
                free = f"{name}-{number}"
            self._names.add(free)
        return free

    @contextmanager
    def _sink(self, name: str) -> Iterator[IO[bytes]]:
        if self._folder is None:
            with open(os.devnull, "wb") as sink:  # noqa: PTH123
                yield sink
        else:
            with self._place(name).open("wb") as sink:
                yield sink

    def _place(self, name: str) -> Path:
        assert self._folder is not None
        return self._folder / hashlib.sha256(name.encode()).hexdigest()


@contextmanager
def workplace(path: Path) -> Iterator[tuple[Path, Path]]:
    """Lend a folder for masked files, and a place for the archive, both beside `path`.

    At the end both are gone. Raises `InputOutputFailed` S1-I02.
    """
    folder = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        yield folder, folder / "archive"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def refuse_existing(path: Path) -> None:
    """Raise `UsageError` S1-U181 where the bundle would be written over something."""
    if os.path.lexists(path):
        raise _is_there(path)


def put_in_place(archive: Path, path: Path) -> None:
    """Move the finished archive to its place, never over a file that is there.

    Raises `UsageError` S1-U181, `InputOutputFailed` S1-I02.
    """
    try:
        _move(archive, path)
        with suppress(OSError):
            sync_folder(path.parent)
    except FileExistsError:
        raise _is_there(path) from None
    except OSError as error:
        raise unwritable(path, error) from None


def _move(archive: Path, path: Path) -> None:
    try:
        path.hardlink_to(archive)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        archive.replace(path)  # over the empty file that was just made: a FAT stick has no links


def _is_there(path: Path) -> UsageError:
    return UsageError(
        f"`{path}` is there already",
        code="S1-U181",
        hint="give it another name: `s1ctl support-bundle -o FILE`, or none for one with the time",
    )


def unwritable(path: Path, error: OSError) -> InputOutputFailed:
    """Say that the bundle cannot be written where it shall be."""
    return InputOutputFailed(
        f"`{path}` cannot be written: {error.strerror}",
        code="S1-I02",
        hint="name a folder with room for it: `s1ctl support-bundle -o FILE`",
    )
