"""Dumps of a service's database: where they come from, and how one is written."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from s1ctl.database.local import run_local
from s1ctl.database.passfile import quote
from s1ctl.database.reach import parse_place, place
from s1ctl.errors import InputOutputFailed, UsageError
from s1ctl.files import sync_folder
from s1ctl.oci.digest import Digest
from s1ctl.progress import Notify, Progress
from s1ctl.release.manifest import Schema
from s1ctl.shape import Value
from s1ctl.site.secrets import Secret

SPARE_BYTES = 64 * 1024 * 1024


class DumpRecord(Value):
    """A dump as it lies on disk, in pg_dump's custom format."""

    path: str
    size_bytes: int
    sha256: Digest


def dump_argv(schema: Schema, host: str, snapshot: str) -> tuple[str, ...]:
    """Make pg_dump's command for a container; the password comes by `PGPASSFILE`, never here."""
    access = schema.access
    return (
        "pg_dump", "--format=custom", "--no-password", f"--snapshot={snapshot}", f"--host={host}",
        f"--port={access.port}", f"--username={access.user}",
        f"--dbname={_quote_conninfo(access.dbname)}",
    )  # fmt: skip


def check_free(folder: Path, needed_bytes: int) -> None:
    """Refuse to begin a dump that may not fit. Raises `InputOutputFailed` S1-D50."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes + SPARE_BYTES:
        raise InputOutputFailed(
            f"`{folder}` has {free} bytes free; a dump may need"
            f" {needed_bytes + SPARE_BYTES} (the database's size, and a reserve)",
            code="S1-D50",
            hint="free space there, or run `s1ctl prune`",
        )


def write_dump(
    chunks: Iterable[bytes], path: Path, notify: Notify, *, expected_bytes: int
) -> DumpRecord:
    """Write a dump as it streams in; `expected_bytes` is what `database_size` says.

    Atomic: 0600, written to a neighbour, fsynced, renamed; whatever ends it early leaves no file
    and no folder of its own, a kill at most a neighbour that ends in `.tmp`. Raises
    `InputOutputFailed` S1-D50, S1-D51.
    """
    try:
        with _folder(path.parent):
            check_free(path.parent, expected_bytes)
            return _write(chunks, path, notify, expected_bytes)
    except OSError as error:
        raise InputOutputFailed(
            f"the dump `{path}` cannot be written: {error.strerror}",
            code="S1-D51",
            hint="look at the disk, then repeat",
        ) from None


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Have a folder; one that was made for this goes again when it is left empty."""
    is_there = folder.exists()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        yield
    finally:
        if not is_there:
            with suppress(OSError):  # it holds something
                folder.rmdir()


def local_dump(dsn: Secret, snapshot: str, work: Path | None = None) -> Iterator[bytes]:
    """Stream a dump of a database outside of the platform, by this host's own `pg_dump`.

    Raises `InputOutputFailed` S1-D52 at the end when pg_dump failed, S1-D53 when there is none;
    `UsageError` S1-D68 for a key's passphrase, which could only be given in its arguments.
    """
    if "sslpassword" in parse_place(dsn):
        raise UsageError(
            f"the URL of {place(dsn)} has a `sslpassword`, which `pg_dump` takes as an argument",
            code="S1-D68",
            hint="use a client key without a passphrase, mode 0600, and drop `sslpassword`",
        )
    parts = {key: value for key, value in parse_place(dsn).items() if key != "password"}
    conninfo = " ".join(f"{key}={quote(value)}" for key, value in sorted(parts.items()))
    argv = ("pg_dump", "--format=custom", "--no-password", f"--snapshot={snapshot}",
            f"--dbname={conninfo}")  # fmt: skip
    return run_local(argv, dsn, doing="dump", work=work)


def check_dump(path: Path, sha256: Digest) -> None:
    """Refuse a dump that is gone or not the recorded one. Raises `InputOutputFailed` S1-D60."""
    try:
        with path.open("rb") as file:
            found = Digest(f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}")
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror}") from None
    if found != sha256:
        raise _unusable(path, "is not the one that was written")


def _write(chunks: Iterable[bytes], path: Path, notify: Notify, total: int) -> DumpRecord:
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    digest, size = hashlib.sha256(), 0
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            for chunk in chunks:
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                notify(Progress(label=path.name, done=size, total=max(total, size)))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    sha256 = Digest(f"sha256:{digest.hexdigest()}")
    return DumpRecord(path=str(path), size_bytes=size, sha256=sha256)


def _unusable(path: Path, how: str) -> InputOutputFailed:
    return InputOutputFailed(
        f"the dump `{path}` {how}",
        code="S1-D60",
        hint="take another backup: `s1ctl backup create`; see `s1ctl backup list`",
    )


def _quote_conninfo(name: str) -> str:
    """Keep libpq from reading a database's name as a connection string."""
    return f"dbname={quote(name)}" if "=" in name or "://" in name else name
