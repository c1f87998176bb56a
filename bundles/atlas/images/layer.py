"""Layers: tar archives whose bytes follow from their contents, and the folder that has them."""

import fcntl
import gzip
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

EPOCH = 1735689600  # 2025-01-01, the time of every file that no package brings
LEVEL = 6


class BuildError(Exception):
    """Something that the build needs is missing or failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A gzip layer in the storage: digest of its bytes, and of the tar inside."""

    digest: str
    diff_id: str
    size: int
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file or folder to be packed; its path is relative to the image's root."""

    path: str
    content: bytes = b""
    mode: int = 0o644
    uid: int = 0
    is_folder: bool = False

    def entry(self) -> tarfile.TarInfo:
        """Return its tar header."""
        info = tarfile.TarInfo(self.path)
        info.mode, info.uid, info.gid, info.mtime = self.mode, self.uid, self.uid, EPOCH
        info.size = len(self.content)
        if self.is_folder:
            info.type = tarfile.DIRTYPE
            info.mode = self.mode | 0o111 if self.mode & 0o044 else self.mode
        return info


class Storage:
    """A folder of layers, some remembered by what they were made from; for one build at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Wait until no other build uses the folder, and clear what a killed one left."""
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            shutil.rmtree(self._folder / "work", ignore_errors=True)
            yield

    def folder(self, name: str) -> Path:
        """Return a folder inside it for anything else that may be reused."""
        path = self._folder / name
        path.mkdir(exist_ok=True)
        return path

    def pack(self, files: Iterable[File]) -> Layer:
        """Write a layer of files, in the order of their paths."""

        def fill(archive: tarfile.TarFile) -> None:
            for file in sorted(files, key=lambda file: file.path):
                archive.addfile(file.entry(), io.BytesIO(file.content))

        return self.write(fill)

    def write(self, fill: Callable[[tarfile.TarFile], None]) -> Layer:
        """Write the layer that `fill` puts into the archive it is given."""
        temporary = self._folder / "layer.tmp"
        with temporary.open("wb") as raw:
            outer = _Hashed(raw)
            with gzip.GzipFile("", "wb", LEVEL, outer, mtime=0) as packed:
                inner = _Hashed(packed)
                with tarfile.open(fileobj=inner, mode="w", format=tarfile.PAX_FORMAT) as archive:
                    fill(archive)
        path = self._folder / f"{outer.hex}.tar.gz"
        temporary.replace(path)
        return Layer(
            digest=f"sha256:{outer.hex}", diff_id=f"sha256:{inner.hex}", size=outer.size, path=path
        )

    def remembered(self, key: str) -> dict[str, Layer] | None:
        """Return the layers that were made from `key`, if all of them are still there."""
        note = self._folder / f"{key}.json"
        if not note.exists():
            return None
        layers = {
            name: Layer(**{**fields, "path": self._folder / fields["path"]})
            for name, fields in json.loads(note.read_bytes()).items()
        }
        return layers if all(layer.path.exists() for layer in layers.values()) else None

    def remember(self, key: str, layers: dict[str, Layer]) -> None:
        """Note that `layers` were made from `key`."""
        fields = {
            name: {**asdict(layer), "path": layer.path.name} for name, layer in layers.items()
        }
        temporary = self._folder / "note.tmp"
        temporary.write_text(json.dumps(fields, indent=1))
        temporary.replace(self._folder / f"{key}.json")


def key_of(*parts: str) -> str:
    """Return a file name that stands for what something is made from."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]


class _Hashed(io.RawIOBase):
    """A writer that hashes and counts what goes through it."""

    def __init__(self, inner: BinaryIO | gzip.GzipFile) -> None:
        self._inner = inner
        self._sha256 = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._sha256.update(data)
        self.size += len(data)
        self._inner.write(data)
        return len(data)

    def tell(self) -> int:
        return self.size

    @property
    def hex(self) -> str:
        return self._sha256.hexdigest()
