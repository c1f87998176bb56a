"""Bundles on media: found by their headers alone, which are verified before they count."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from packaging.version import Version

from s1ctl.bundle.container import open_file, read_slot
from s1ctl.errors import FormatRefused, S1Error
from s1ctl.files import unreadable
from s1ctl.oci.digest import Digest
from s1ctl.release.manifest import ReleaseManifest
from s1ctl.release.verified import verify_header
from s1ctl.trust.root import Trust

Warn = Callable[[str], None]
NO_BUNDLE = ("S1-F02", "S1-F04")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A bundle whose header is signed for this site; nothing else of it was read yet."""

    path: Path
    identity: Digest
    size_bytes: int
    manifest: ReleaseManifest = field(repr=False)

    @property
    def product(self) -> str:
        """The product that it is a release of."""
        return self.manifest.product

    @property
    def version(self) -> Version:
        """Its version."""
        return self.manifest.version


def find_bundles(paths: Iterable[Path], trust: Trust, *, warn: Warn) -> tuple[Found, ...]:
    """Find the bundles among `paths`, and in folders among them; by version, then sequence.

    Only headers are read. In a folder, what is no bundle is passed over, and a bundle that is not
    verified is too, with a warning; a path that is a file itself must be one. Raises
    `FormatRefused`, `NotVerified`, `Withdrawn`, and `InputOutputFailed` S1-I01.
    """
    found = {item.path: item for path in paths for item in _look(path, trust, warn)}
    return tuple(
        sorted(found.values(), key=lambda f: (f.version, f.manifest.sequence, str(f.path)))
    )


def media_folders(patterns: Iterable[str]) -> tuple[Path, ...]:
    """List the folders that the site file's `media` names now; a medium may be out."""
    found = {path for pattern in patterns for path in _matching(pattern)}
    return tuple(sorted(path for path in found if path.is_dir()))


def _matching(pattern: str) -> Iterable[Path]:
    root = Path("/") if pattern.startswith("/") else Path()
    return root.glob(pattern.strip("/")) if pattern.strip("/") else (root,)


def _look(path: Path, trust: Trust, warn: Warn) -> Iterator[Found]:
    if not path.is_dir():
        yield _read(path, trust)
        return
    for file in _files(path):
        try:
            yield _read(file, trust)
        except FormatRefused as error:
            if error.code not in NO_BUNDLE:
                warn(_passed_over(file, error))
        except S1Error as error:
            warn(_passed_over(file, error))


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.is_file() and p.stat().st_size)
    except OSError as error:
        raise unreadable(folder, error) from None


def _read(path: Path, trust: Trust) -> Found:
    file = open_file(path)
    try:
        document, _ = read_slot(file)
    finally:
        file.close()
    identity, manifest, _, _ = verify_header(document, trust)
    return Found(
        path=path,
        identity=identity,
        size_bytes=file.size,
        manifest=manifest,
    )


def _passed_over(path: Path, error: S1Error) -> str:
    return f"warning: `{path}` is passed over: {error.message} ({error.code})"
