"""Make the images of atlas as one OCI layout, without a container engine.

`python bundles/atlas/images/build.py` needs Debian 12, root and `mmdebstrap`. The same packages
and wheels give the same digests. Root file systems and wheels are kept in the cache folder.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from layer import BuildError, File, Layer, Storage
from layout import ImageConfig, LayoutWriter, architecture
from rootfs import make_root_file_systems
from wheels import make_wheels

HERE = Path(__file__).parent
DIST = HERE.parents[2] / "dist" / "atlas"
Made = TypeVar("Made")
RELEASES = ("1.0.0", "1.1.0", "2.0.0", "2.1.0")
POSTGRES_UID = 5432
CONSOLE_UID = 10001


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the images are put together from: `roots` by image, and one layer below all of them."""

    bottom: Layer
    roots: dict[str, Layer]
    wheels: Layer


def build(*, out: Path, cache: Path) -> None:
    """Write the layout with every image of all releases to `out`, replacing what was there."""
    storage = Storage(cache)
    with storage.locked(), LayoutWriter(out) as layout:
        parts = make_parts(storage)
        layout.add("postgres", "1.0.0", *_postgres(storage, parts))
        for version in RELEASES:
            layout.add("console", version, *_console(storage, parts, version))
            layout.add("gateway", version, *_gateway(storage, parts, version))
    for line in layout.summary():
        say(line)


def make_parts(storage: Storage) -> Parts:
    """Make, or take from the cache, what does not change with the code of atlas."""
    bottom, roots = _timed("root file systems", make_root_file_systems, storage, say)
    requirements = HERE / "console" / "requirements.txt"
    wheels = _timed("wheels of console", make_wheels, storage, requirements)
    return Parts(bottom=bottom, roots=roots, wheels=wheels)


def console_files(version: str) -> dict[str, bytes]:
    """Return the modules of a release of console by file name: the shared ones and its own."""
    sources = HERE.parent / "console"
    modules = [*(sources / "console").glob("*.py"), sources / version / "release.py"]
    return {path.name: path.read_bytes() for path in sorted(modules)}


def _console(storage: Storage, parts: Parts, version: str) -> tuple[list[Layer], ImageConfig]:
    files = [
        File(path=f"app/console/{name}", content=content)
        for name, content in console_files(version).items()
    ]
    config = ImageConfig(
        entrypoint=("python3", "-m", "console"),
        env={
            "PYTHONPATH": "/app:/app/wheels",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        user=f"{CONSOLE_UID}:{CONSOLE_UID}",
        port=8080,
        stop_signal="SIGTERM",
    )
    layers = [parts.bottom, parts.roots["console"], parts.wheels, storage.pack(files)]
    return layers, config


def _gateway(storage: Storage, parts: Parts, version: str) -> tuple[list[Layer], ImageConfig]:
    files = [
        File(path="entrypoint", content=_read("gateway/entrypoint"), mode=0o755),
        File(path="etc/nginx/gateway.conf", content=_read("gateway/gateway.conf")),
        File(path="etc/nginx/upstreams", is_folder=True),
        File(path="run/gateway", is_folder=True),
    ]
    config = ImageConfig(
        entrypoint=("/entrypoint",),
        env={"GATEWAY_VERSION": version},
        stop_signal="SIGQUIT",
    )
    return [parts.bottom, parts.roots["gateway"], storage.pack(files)], config


def _postgres(storage: Storage, parts: Parts) -> tuple[list[Layer], ImageConfig]:
    uid = POSTGRES_UID
    files = [
        File(path="entrypoint", content=_read("postgres/entrypoint"), mode=0o755),
        File(path="etc/postgresql/pg_hba.conf", content=_read("postgres/pg_hba.conf")),
        # A tmpfs takes the mode of the folder that it is mounted over; without one it would be
        # writable at the first start only.
        File(path="run/postgresql", is_folder=True, mode=0o1777),
        # An empty named volume takes the owner of the folder that it is mounted over.
        File(path="var/lib/postgresql/data", is_folder=True, mode=0o700, uid=uid),
    ]
    config = ImageConfig(
        entrypoint=("/entrypoint",),
        env={"PATH": "/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
        user=f"{uid}:{uid}",
        port=5432,
        stop_signal="SIGINT",
    )
    return [parts.bottom, parts.roots["postgres"], storage.pack(files)], config


def _read(name: str) -> bytes:
    return (HERE / name).read_bytes()


def _timed(what: str, make: Callable[..., Made], *args: Any) -> Made:
    started = time.monotonic()
    made = make(*args)
    say(f"{what}: {time.monotonic() - started:.1f} s")
    return made


def say(line: str) -> None:
    """Tell what was done."""
    print(line, flush=True)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=DIST / "images", help="the OCI layout to write")
    parser.add_argument("--cache", type=Path, default=DIST / "cache", help="what may be reused")
    options = parser.parse_args()
    started = time.monotonic()
    try:
        build(out=options.out, cache=options.cache)
    except BuildError as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    say(f"{options.out} for {architecture()} in {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
