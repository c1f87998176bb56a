"""The release store: the envelope and the small blobs of every loaded release."""

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from s1ctl.errors import ContentsRefused, InputOutputFailed, NoPath
from s1ctl.files import sync_folder, write_file
from s1ctl.ledger.holder import is_pid_there
from s1ctl.oci.digest import Digest

if TYPE_CHECKING:
    from s1ctl.release.manifest import ReleaseManifest
    from s1ctl.release.verified import VerifiedRelease
    from s1ctl.trust.root import Trust, TrustedRoot

    Signed = tuple[Digest, ReleaseManifest, tuple[str, ...], TrustedRoot]
    Verify = Callable[[bytes, Trust], Signed]

HEADER = "header.json"


class ReleaseStore:
    """Releases by payload digest, in `FOLDER/HEX/`: `header.json` and `blobs/HEX`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, release: Digest, header: bytes, blobs: Iterable[tuple[Digest, bytes]]) -> None:
        """Store a release; one that is there is renewed blob by blob, its header last.

        A crash leaves no release or a whole one, and at most a hidden folder that the next `put`
        removes; those of processes that live are left alone. Raises `ContentsRefused` S1-C80 for a
        blob that is not what its digest says, and `InputOutputFailed` S1-I30.
        """
        with self._told("written", "S1-I30"):
            _make_folder(self._folder)
            self._sweep()
            if self._place(release).is_dir():
                _fill(self._place(release), header, blobs)
            else:
                self._put_new(release, header, blobs)

    def has(self, release: Digest) -> bool:
        """Say whether a release is there."""
        return (self._place(release) / HEADER).is_file()

    def header(self, release: Digest) -> bytes:
        """Read the header of a release; nothing in it is verified. Raises `NoPath` S1-N80."""
        if not self.has(release):
            raise NoPath(
                f"release `{release}` is not loaded here",
                code="S1-N80",
                hint="run `s1ctl load FILE` with its bundle",
            )
        with self._told("read", "S1-I31"):
            return (self._place(release) / HEADER).read_bytes()

    def open_small(self, release: Digest, blob: Digest) -> bytes:
        """Read a blob, whose hash is checked each time. Raises `ContentsRefused` S1-C80."""
        place = self._place(release) / "blobs" / blob.hex
        with self._told("read", "S1-I31"):
            if not place.is_file():
                raise _damaged(release, f"blob `{blob}` is missing")
            raw = place.read_bytes()
        if Digest.of(raw) != blob:
            raise _damaged(release, f"blob `{blob}` has other bytes")
        return raw

    def digests(self) -> tuple[Digest, ...]:
        """Name every release that is there."""
        with self._told("read", "S1-I31"):
            if not self._folder.is_dir():
                return ()
            names = sorted(path.parent.name for path in self._folder.glob(f"[0-9a-f]*/{HEADER}"))
        return tuple(Digest(f"sha256:{name}") for name in names if len(name) == 64)

    def remove(self, release: Digest) -> None:
        """Remove a release, whole or not at all. Raises `InputOutputFailed` S1-I30."""
        hidden = self._hidden(release)
        with self._told("written", "S1-I30"):
            if self._place(release).is_dir():
                self._place(release).rename(hidden)
                sync_folder(self._folder)
                shutil.rmtree(hidden)

    def _put_new(
        self, release: Digest, header: bytes, blobs: Iterable[tuple[Digest, bytes]]
    ) -> None:
        hidden = self._hidden(release)
        try:
            _make_folder(hidden)
            stored = _fill(hidden, header, blobs)
            _check_stored(hidden, stored)
            try:
                hidden.rename(self._place(release))
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                # Another process has put the same release in place: it is renewed from ours.
                read = ((blob, (hidden / "blobs" / blob.hex).read_bytes()) for blob in stored)
                _fill(self._place(release), header, read)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)
        sync_folder(self._folder)

    def _hidden(self, release: Digest) -> Path:
        """Name a temporary folder: whose it is, and no other's."""
        return self._folder / f".{release.hex}.{os.getpid()}.{secrets.token_hex(4)}.tmp"

    def _sweep(self) -> None:
        """Remove what processes that have ended left."""
        for rest in self._folder.glob(".*.tmp"):
            pid = rest.name.split(".")[2]
            if not (pid.isdecimal() and is_pid_there(int(pid), None)):
                shutil.rmtree(rest, ignore_errors=True)

    def _place(self, release: Digest) -> Path:
        return self._folder / release.hex

    @contextmanager
    def _told(self, verb: str, code: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputOutputFailed(
                f"the release store `{self._folder}` cannot be {verb}: {error.strerror}",
                code=code,
                hint=f"check disk and owner: `df -h {self._folder.parent}`",
            ) from None


def open_release(release: Digest, store: ReleaseStore, trust: "Trust") -> "VerifiedRelease":
    """Open a stored release; its envelope is verified again, each time.

    Raises what `verify_header` raises, `NoPath` S1-N80, and `ContentsRefused` S1-C80 when the
    store holds another release in its place.
    """
    from s1ctl.release.verified import verify_header

    return _open(release, store, trust, verify_header)


def open_recorded(release: Digest, store: ReleaseStore, trust: "Trust") -> "VerifiedRelease":
    """Open a stored release that the ledger names, also one that was withdrawn since.

    That is safe for what runs or ran here, and to get away from it: this site verified it when it
    was loaded, its name is the digest of what was signed, and its signatures are verified again,
    under any root that this site has trusted. For what is to be installed use `open_release`.
    Raises as that, without `Withdrawn`.
    """
    from s1ctl.release.verified import verify_recorded

    return _open(release, store, trust, verify_recorded)


def _open(
    release: Digest, store: ReleaseStore, trust: "Trust", verify: "Verify"
) -> "VerifiedRelease":
    from s1ctl.release.verified import VerifiedRelease

    header = store.header(release)
    digest, manifest, signers, root = verify(header, trust)
    if digest != release:
        raise _damaged(release, f"its header is that of `{digest}`")
    return VerifiedRelease(
        digest=digest,
        manifest=manifest,
        signers=signers,
        root=root,
        header=header,
        read_blob=lambda blob: store.open_small(release, blob),
    )


def _make_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _fill(folder: Path, header: bytes, blobs: Iterable[tuple[Digest, bytes]]) -> list[Digest]:
    """Write blobs and header, and say which blobs."""
    _make_folder(folder / "blobs")
    stored: list[Digest] = []
    for digest, raw in blobs:
        if Digest.of(raw) != digest:
            raise ContentsRefused(
                f"blob `{digest}` has other bytes", code="S1-C80", hint="get the bundle again"
            )
        write_file(folder / "blobs" / digest.hex, raw, mode=0o600)
        stored.append(digest)
    write_file(folder / HEADER, header, mode=0o600)
    return stored


def _check_stored(folder: Path, stored: Iterable[Digest]) -> None:
    """Raise `FileNotFoundError` unless header and blobs are all there: others may clean up too."""
    for path in (folder / HEADER, *(folder / "blobs" / blob.hex for blob in stored)):
        path.stat()


def _damaged(release: Digest, what: str) -> ContentsRefused:
    return ContentsRefused(
        f"release `{release}` in the release store is damaged: {what}",
        code="S1-C80",
        hint="run `s1ctl load FILE` with its bundle again",
    )
