"""PostgreSQL's own programs of this host, for a database outside of the platform."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from s1ctl.database.passfile import passfile
from s1ctl.database.reach import passwords_of, place
from s1ctl.database.scratch import scratch
from s1ctl.errors import InputOutputFailed
from s1ctl.masking.redact import masked
from s1ctl.site.secrets import Secret

CHUNK_BYTES = 256 * 1024
END_S = 30.0
_PATH = "/usr/local/bin:/usr/bin:/bin"
_NOTHING: Mapping[str, str] = {}

Doing = Literal["dump", "restore", "proof"]


def run_local(
    argv: Sequence[str],
    dsn: Secret,
    *,
    doing: Doing,
    environment: Mapping[str, str] = _NOTHING,
    source: Path | None = None,
    user: str | None = None,
    work: Path | None = None,
) -> Iterator[bytes]:
    """Run a program here and yield what it writes; who stops listening ends it.

    `source` is its stdin, opened as ourselves; `user` is who it runs as; the password lies in
    a file under `work` meanwhile. Raises
    `InputOutputFailed` S1-D52 at the end when it failed, S1-D53 when there is no such program.
    """
    with (
        passfile(dsn, work) as passwords,
        scratch(doing) as said,
        (source or Path("/dev/null")).open("rb") as given,
    ):
        known = {"PATH": _PATH, "LANG": "C.UTF-8", "PGPASSFILE": str(passwords), **environment}
        try:
            running = subprocess.Popen(
                argv,
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=said,
                env=known,
                user=user,
                group=user and "nogroup",
                extra_groups=[] if user else None,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise InputOutputFailed(
                f"the {doing} of {place(dsn)} cannot be made: there is no `{argv[0]}` on this host",
                code="S1-D53",
                hint="install PostgreSQL's client, not older than the server",
            ) from None
        yield from _stream(running)
        if running.returncode:
            said.seek(0)
            raise _failed(argv[0], dsn, doing, running.returncode, said.read(65536))


def _stream(running: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Hand out what it writes; whoever stops listening ends it."""
    assert running.stdout is not None
    try:
        while chunk := running.stdout.read1(CHUNK_BYTES):  # type: ignore[attr-defined]
            yield chunk
        running.wait(END_S)
    finally:
        running.stdout.close()
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGTERM)
            running.wait(END_S)


def _failed(program: str, dsn: Secret, doing: Doing, status: int, said: bytes) -> InputOutputFailed:
    lines = said.decode("utf-8", "replace").strip().splitlines() or [""]
    words = lines[0] if doing == "dump" else " | ".join(lines[-5:])
    shown = masked(words, *passwords_of(dsn))[:500]
    return InputOutputFailed(
        f"the {doing} of {place(dsn)} failed: {program} ended with {status}: {shown}",
        code="S1-D52",
        hint="mend what it says, then repeat",
    )
