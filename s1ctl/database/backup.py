"""Dumps of a service's database: where they come from, and how one is written."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from s1ctl.database.reach import parse_place, place
from s1ctl.errors import InputOutputFailed
from s1ctl.files import sync_folder
from s1ctl.oci.digest import Digest
from s1ctl.progress import Notify, Progress
from s1ctl.release.manifest import Schema
from s1ctl.shape import Value
from s1ctl.site.secrets import Secret

SPARE_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 256 * 1024
END_S = 30.0
_PATH = "/usr/local/bin:/usr/bin:/bin"


class DumpRecord(Value):
    """A dump as it lies on disk, in pg_dump's custom format."""

    path: str
    size_bytes: int
    sha256: Digest


def dump_argv(schema: Schema, host: str) -> tuple[str, ...]:
    """Make pg_dump's command for a container; the password comes by `PGPASSFILE`, never here."""
    access = schema.access
    return (
        "pg_dump", "--format=custom", "--no-password", f"--host={host}", f"--port={access.port}",
        f"--username={access.user}", f"--dbname={_quote_conninfo(access.dbname)}",
    )  # fmt: skip


def make_passfile(dsn: Secret) -> Secret:
    """Make the text of a password file (libpq, "The Password File") for one database."""
    parts = parse_place(dsn)
    fields = (parts["host"], parts["port"], "*", parts["user"], parts.get("password", ""))
    return Secret(":".join(f.replace("\\", "\\\\").replace(":", "\\:") for f in fields) + "\n")


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

    Atomic: 0600, written to a neighbour, fsynced, renamed; whatever ends it early leaves no file,
    a kill at most a neighbour that ends in `.tmp`. Raises `InputOutputFailed` S1-D50, S1-D51.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        check_free(path.parent, expected_bytes)
        return _write(chunks, path, notify, expected_bytes)
    except OSError as error:
        raise InputOutputFailed(
            f"the dump `{path}` cannot be written: {error.strerror}",
            code="S1-D51",
            hint="look at the disk, then repeat",
        ) from None


def local_dump(dsn: Secret) -> Iterator[bytes]:
    """Stream a dump of a database outside of the platform, by this host's own `pg_dump`.

    Raises `InputOutputFailed` S1-D52 at the end when pg_dump failed, S1-D53 when there is none.
    """
    parts = {key: value for key, value in parse_place(dsn).items() if key != "password"}
    conninfo = " ".join(f"{key}={_quote(value)}" for key, value in sorted(parts.items()))
    argv = ("pg_dump", "--format=custom", "--no-password", f"--dbname={conninfo}")
    with _passfile(dsn) as passfile, tempfile.TemporaryFile() as said:
        try:
            dump = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                env={"PATH": _PATH, "LANG": "C.UTF-8", "PGPASSFILE": str(passfile)},
            )
        except FileNotFoundError:
            raise InputOutputFailed(
                f"{place(dsn)} cannot be dumped: there is no `pg_dump` on this host",
                code="S1-D53",
                hint="install PostgreSQL's client, not older than the server",
            ) from None
        yield from _stream(dump)
        if dump.returncode:
            said.seek(0)
            raise _dump_failed(dsn, dump.returncode, said.read(4096))


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


@contextmanager
def _passfile(dsn: Secret) -> Iterator[Path]:
    """Have a password file in a folder of its own, for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="s1ctl-") as folder:
        path = Path(folder) / "pgpass"
        path.touch(mode=0o600)
        path.write_text(make_passfile(dsn).reveal(), "utf-8")
        yield path


def _stream(dump: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Hand out what pg_dump writes; whoever stops listening ends it."""
    assert dump.stdout is not None
    try:
        while chunk := dump.stdout.read(CHUNK_BYTES):
            yield chunk
        dump.wait(END_S)
    finally:
        dump.stdout.close()
        if dump.poll() is None:
            dump.terminate()
            dump.wait(END_S)


def _dump_failed(dsn: Secret, status: int, said: bytes) -> InputOutputFailed:
    words = said.decode("utf-8", "replace").strip().split("\n")[0][:300]
    word = parse_place(dsn).get("password")
    shown = words.replace(word, "***") if word else words
    return InputOutputFailed(
        f"the dump of {place(dsn)} failed: pg_dump ended with {status}: {shown}",
        code="S1-D52",
        hint="mend what it says, then repeat",
    )


def _quote_conninfo(name: str) -> str:
    """Keep libpq from reading a database's name as a connection string."""
    return f"dbname={_quote(name)}" if "=" in name or "://" in name else name


def _quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
