"""Root file systems of Debian packages, as one layer below all images and one more for each.

What is the same in all of them makes the bottom layer; the rest of each goes on top of it, so
nothing is ever taken away by a later layer.
"""

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from debian import SUITE, apt_options, debian_sources
from layer import EPOCH, BuildError, Layer, Storage, key_of
from layout import architecture

PACKAGES = {
    "console": ("python3", "libstdc++6"),
    "gateway": ("nginx-light",),
    "postgres": ("postgresql-15",),
}
NOT_UNPACKED = ("doc", "info", "locale", "man")
DEADLINE_S = 1200

# Documents, what only building needed, what differs from run to run, and for PostgreSQL the
# compiler for queries and the scripts that administer clusters of the host.
LEFT_OUT = (
    "dev/*", "run/*", "tmp/*", "etc/apt/*", "etc/hostname", "etc/hosts", "etc/resolv.conf",
    "etc/machine-id", "etc/postgresql/15*", "etc/ssl/*/ssl-cert-snakeoil*", "etc/*-",
    "var/cache/*/*", "var/lib/apt/*", "var/lib/postgresql/15*", "var/log/*",
    "usr/share/doc/*", "usr/share/i18n/*", "usr/share/info/*", "usr/share/locale/*",
    "usr/share/man/*", "usr/share/perl/*", "usr/share/postgresql/15/man/*",
    "usr/lib/*/libLLVM*", "usr/lib/*/libperl.so*", "usr/lib/*/libz3.so*", "usr/lib/*/perl/*",
    "usr/lib/llvm*", "usr/lib/postgresql/15/lib/bitcode*", "usr/lib/postgresql/15/lib/llvmjit*",
    "usr/lib/python3*/pydoc_data/*", "usr/lib/python3*/test/*",
)  # fmt: skip

# `usrmerge` would bring all of perl; the hooks below make it needless.
NO_USRMERGE = (
    'mkdir -p "$1/etc/apt/preferences.d" && printf "Package: usrmerge\\nPin: version *\\n'
    'Pin-Priority: -1\\n" > "$1/etc/apt/preferences.d/usrmerge"'
)
POSTGRES_USER = (
    'echo "postgres:x:5432:5432::/var/lib/postgresql:/bin/sh" >> "$1/etc/passwd" '
    '&& echo "postgres:x:5432:" >> "$1/etc/group" && mkdir -p "$1/etc/postgresql-common" '
    '&& echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.conf"'
)

Tree = dict[str, tuple[object, ...]]


def make_root_file_systems(
    storage: Storage, say: Callable[[str], None]
) -> tuple[Layer, dict[str, Layer]]:
    """Return the bottom layer and the layer of each image above it."""
    key = key_of(SUITE, architecture(), Path(__file__).read_text())
    layers = storage.remembered(key)
    if layers is None:
        layers = _make(storage, say)
        storage.remember(key, layers)
    return layers["bottom"], {name: layers[name] for name in PACKAGES}


def _make(storage: Storage, say: Callable[[str], None]) -> dict[str, Layer]:
    with tempfile.TemporaryDirectory(dir=storage.folder("work")) as work:
        archives = {}
        for name, packages in PACKAGES.items():
            say(f"mmdebstrap {SUITE} with {', '.join(packages)}, for {name}")
            archives[name] = _bootstrap(name, packages, Path(work))
        trees = {name: _read_tree(path) for name, path in archives.items()}
        bottom = _same_in_all(list(trees.values()))
        first = next(iter(archives.values()))
        layers = {"bottom": _pack(storage, first, bottom)}
        for name, path in archives.items():
            layers[name] = _pack(storage, path, _own(trees[name], bottom))
        return layers


def _bootstrap(name: str, packages: tuple[str, ...], work: Path) -> Path:
    if shutil.which("mmdebstrap") is None:
        raise BuildError("`mmdebstrap` is missing; run `apt-get install mmdebstrap`")
    archive = work / f"{name}.tar"
    sources = work / "debian.list"
    sources.write_text(debian_sources(Path("/etc/apt")))
    log = work / f"{name}.log"
    argv = [
        "mmdebstrap", "--mode=root", "--variant=essential", f"--include={','.join(packages)}",
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", f"--setup-hook={NO_USRMERGE}",
        *(f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in NOT_UNPACKED),
        "--dpkgopt=force-confold", "--dpkgopt=force-unsafe-io",
        *([f"--essential-hook={POSTGRES_USER}"] if name == "postgres" else []),
        *(f"--aptopt={option}" for option in apt_options()),
        SUITE, str(archive), str(sources),
    ]  # fmt: skip
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH), "LC_ALL": "C.UTF-8"}
    with log.open("wb") as output:
        done = subprocess.run(
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            timeout=DEADLINE_S,
            check=False,
        )
    if done.returncode != 0 or archive.stat().st_size == 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise BuildError(f"mmdebstrap for {name} ended with {done.returncode}:\n{tail}")
    return archive


def _read_tree(path: Path) -> Tree:
    with tarfile.open(path) as archive:
        return {name: _describe(archive, info) for name, info in _entries(archive)}


def _entries(archive: tarfile.TarFile) -> Iterator[tuple[str, tarfile.TarInfo]]:
    for info in archive:
        info.name = info.name.removeprefix("./")
        if info.islnk():
            info.linkname = info.linkname.removeprefix("./")
        if info.name not in ("", ".") and not is_left_out(info.name):
            yield info.name, info


def is_left_out(name: str) -> bool:
    """Tell whether an image can do without the file."""
    return any(fnmatchcase(name, pattern) for pattern in LEFT_OUT)


def _describe(archive: tarfile.TarFile, info: tarfile.TarInfo) -> tuple[object, ...]:
    content = ""
    if info.isreg():
        stream = archive.extractfile(info)
        assert stream is not None
        content = hashlib.sha256(stream.read()).hexdigest()
    xattrs = tuple(sorted(item for item in info.pax_headers.items() if "xattr" in item[0]))
    mtime = int(info.mtime)
    return (info.type, info.mode, info.uid, info.gid, mtime, info.linkname, content, xattrs)


def _same_in_all(trees: list[Tree]) -> set[str]:
    first, *others = trees
    same = {
        name for name, entry in first.items() if all(tree.get(name) == entry for tree in others)
    }
    return {name for name in same if _link_target(first, name) in (same | {None})}


def _own(tree: Tree, bottom: set[str]) -> set[str]:
    """Return what the bottom lacks; a hard link brings its target, as layers are unpacked apart."""
    own = tree.keys() - bottom
    targets = {_link_target(tree, name) for name in own} - {None}
    return own | {target for target in targets if target is not None}


def _link_target(tree: Tree, name: str) -> str | None:
    kind, link = tree[name][0], tree[name][5]
    return str(link) if kind == tarfile.LNKTYPE else None


def _pack(storage: Storage, path: Path, names: set[str]) -> Layer:
    def fill(layer: tarfile.TarFile) -> None:
        with tarfile.open(path) as archive:
            for name, info in _entries(archive):
                if name in names:
                    stream = archive.extractfile(info) if info.isreg() else None
                    info.mtime = int(info.mtime)
                    info.pax_headers = {
                        key: value for key, value in info.pax_headers.items() if "xattr" in key
                    }
                    layer.addfile(info, stream)

    return storage.write(fill)
