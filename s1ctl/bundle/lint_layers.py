"""What an image has in its folders, read from its layers as they stream by; nothing is unpacked."""

import io
import json
import posixpath
import re
import tarfile
import zlib
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from s1ctl.bundle.images import ATTESTATION, ImageContents
from s1ctl.oci.digest import Digest
from s1ctl.oci.manifest import Index, Manifest, parse_manifest

CONFIGURATION = re.compile(r"etc/.*\.(conf|cfg)")
PROGRAMS = frozenset({"pg_dump"})
MAX_TEXT = 64 << 10
MAX_LINKS = 16
WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Mode and owner of a folder."""

    mode: int
    uid: int

    def is_writable_for(self, uid: int) -> bool:
        """Say whether this user may make files in it."""
        return uid in (0, self.uid) or bool(self.mode & 0o002)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What a layer has at one path: a folder, a link, a text, or the mark that it is gone."""

    path: str
    folder: Folder | None = None
    link: str | None = None
    text: str | None = None


Known = dict[Digest, tuple[Note, ...]]


@dataclass(slots=True, kw_only=True)
class Tree:
    """What is told of an image by path: folders, links, texts of configuration, some programs."""

    folders: dict[str, Folder] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    programs: set[str] = field(default_factory=set)
    unread: list[str] = field(default_factory=list)

    def find(self, path: str) -> Folder | None:
        """Find a folder by its absolute path, through links."""
        wanted = posixpath.normpath(path).strip("/")
        for _ in range(MAX_LINKS):
            link = self._link_in(wanted)
            if link is None:
                return self.folders.get(wanted)
            target = posixpath.join("/", posixpath.dirname(link), self.links[link])
            wanted = posixpath.normpath(target + wanted[len(link) :]).strip("/")
        return None

    def _link_in(self, path: str) -> str | None:
        parts = path.split("/")
        heads = ("/".join(parts[:count]) for count in range(1, len(parts) + 1))
        return next((head for head in heads if head in self.links), None)

    def add(self, note: Note) -> None:
        """Put what a further layer has on top of the others."""
        folder, name = posixpath.split(note.path)
        if name == OPAQUE:
            self._forget(f"{folder}/")
        elif name.startswith(WHITEOUT):
            self._forget(posixpath.join(folder, name.removeprefix(WHITEOUT)))
        elif note.folder is not None:
            self.links.pop(note.path, None)
            self.folders[note.path] = note.folder
        else:
            self._put(note, name)

    def _put(self, note: Note, name: str) -> None:
        self._forget(note.path)
        if note.link is not None:
            self.links[note.path] = note.link
        if note.text is not None and name not in PROGRAMS:
            self.texts[note.path] = note.text
        if name in PROGRAMS:
            self.programs.add(note.path)

    def _forget(self, gone: str) -> None:
        """Take away a path and all below it; with a slash at its end, only what is below."""
        below = gone if gone.endswith("/") else f"{gone}/"
        known: tuple[MutableMapping[str, Any], ...] = (self.folders, self.links, self.texts)
        for paths in known:
            for path in [each for each in paths if each == gone or each.startswith(below)]:
                del paths[path]
        self.programs = {p for p in self.programs if p != gone and not p.startswith(below)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """An image of one platform: what its config says, and what its folders have."""

    platforms: tuple[str, ...]
    user: str
    stop_signal: str
    tree: Tree

    @property
    def uid(self) -> int | None:
        """The user's number; None for a name."""
        name = self.user.split(":")[0] or "0"
        number = {"root": "0"}.get(name, name)
        return int(number) if number.isascii() and number.isdecimal() else None


def read_facts(contents: ImageContents, known: Known) -> ImageFacts:
    """Read config and layers of the image's first platform; `known` remembers layers by digest."""
    manifest = _first(contents)
    config = json.loads(contents.configs[manifest.config.digest]).get("config") or {}
    tree = Tree()
    for layer in manifest.layers:
        if layer.media_type.endswith("zstd"):
            tree.unread.append(f"the zstd layer `{layer.digest}` of image `{contents.name}`")
            continue
        if layer.digest not in known:
            try:
                known[layer.digest] = tuple(_read_layer(contents.source.stream(layer)))
            except (tarfile.TarError, zlib.error, EOFError):
                what = f"the layer `{layer.digest}` of image `{contents.name}`"
                tree.unread.append(f"{what}, which is no whole tar archive")
                continue
        for note in known[layer.digest]:
            tree.add(note)
    return ImageFacts(
        platforms=contents.platforms,
        user=str(config.get("User") or ""),
        stop_signal=str(config.get("StopSignal") or ""),
        tree=tree,
    )


def _first(contents: ImageContents) -> Manifest:
    """Find the first manifest that is an image's, and not an attestation's."""
    types: dict[Digest, str] = {contents.root.digest: contents.root.media_type}
    for digest, raw in contents.manifests.items():
        document = parse_manifest(raw, types.get(digest))
        if isinstance(document, Index):
            types |= {each.digest: each.media_type for each in document.manifests}
        elif not any(layer.media_type == ATTESTATION for layer in document.layers):
            return document
    raise KeyError(contents.name)


def _read_layer(chunks: Iterator[bytes]) -> Iterator[Note]:
    with tarfile.open(fileobj=_Stream(chunks), mode="r|*") as archive:
        for member in archive:
            path = posixpath.normpath(member.name).strip("/")
            if member.isdir():
                yield Note(path=path, folder=Folder(mode=member.mode, uid=member.uid))
            elif member.issym():
                yield Note(path=path, link=member.linkname)
            elif posixpath.basename(path).startswith(WHITEOUT):
                yield Note(path=path)
            elif posixpath.basename(path) in PROGRAMS:
                yield Note(path=path, text="")
            elif member.isreg() and member.size <= MAX_TEXT and CONFIGURATION.fullmatch(path):
                file = archive.extractfile(member)
                yield Note(path=path, text=file.read().decode("utf-8", "replace") if file else "")


class _Stream(io.RawIOBase):
    """Chunks as a file that is read once, from front to end."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._rest += chunk
        cut = len(self._rest) if size < 0 else size
        found, self._rest = self._rest[:cut], self._rest[cut:]
        return found
