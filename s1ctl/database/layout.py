"""Lay a release's migration files out for a worker."""

import os
import re
from pathlib import Path
from typing import Protocol

from s1ctl.errors import ContentsRefused, InputOutputFailed
from s1ctl.files import write_file
from s1ctl.oci.digest import Digest
from s1ctl.release.manifest import Revision, Schema

_SAFE = re.compile(r"[A-Za-z0-9_.-]{1,100}")


class Release(Protocol):
    """Whatever hands out a blob by its digest, checked."""

    def small(self, digest: Digest, /) -> bytes:
        """Read a small blob."""
        ...


def lay_out(release: Release, schema: Schema, folder: Path) -> None:
    """Write every revision's file into `folder` (made 0700, files 0600). Repeating is harmless.

    Raises `InputOutputFailed` S1-D11, `ContentsRefused` S1-D12 or S1-D24.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.chmod(folder, 0o700)  # noqa: PTH101 - also where it was there before
        for revision in schema.revisions:
            _write(release, revision, folder)
    except OSError as error:
        raise InputOutputFailed(
            f"the migrations of `{schema.database}` cannot be written to `{folder}`:"
            f" {error.strerror}",
            code="S1-D11",
            hint="look at the free space and the mode of the state directory",
        ) from None


def revision_path(folder: Path, revision: str) -> Path:
    """Say where a revision's file lies. Raises `ContentsRefused` S1-D12 for a wild name."""
    if not _SAFE.fullmatch(revision):
        raise ContentsRefused(
            f"revision `{revision[:100]}` has a name that cannot be a file's",
            code="S1-D12",
            hint="call the vendor: letters, digits, `_`, `-` and `.` are allowed",
        )
    return folder / f"{revision}.py"


def check_text(raw: bytes, revision: Revision) -> None:
    """Refuse a file that is not the signed one. Raises `ContentsRefused` S1-D24."""
    if Digest.of(raw) != revision.digest:
        raise ContentsRefused(
            f"the file of revision `{revision.id}` has digest `{Digest.of(raw)}`,"
            f" the release says `{revision.digest}`",
            code="S1-D24",
            hint="run `s1ctl load` with the release's bundle again",
        )


def _write(release: Release, revision: Revision, folder: Path) -> None:
    raw = release.small(revision.digest)
    check_text(raw, revision)
    write_file(revision_path(folder, revision.id), raw, mode=0o600)
