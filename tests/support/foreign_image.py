"""The images of `ledgerly`: Debian's Node.js, PostgreSQL and nginx, and small layers of its own."""

import subprocess
from functools import cache
from pathlib import Path

from tests.support.images import (
    BUILD_S,
    CACHE,
    NEEDLESS,
    Image,
    Layer,
    gzip_layer,
    make_image,
    make_layer,
    one_at_a_time,
    write_layout,
)
from tests.support.require import need

HERE = Path(__file__).parent / "platform" / "ledgerly"
PACKAGES = "nodejs,node-pg,postgresql-15,nginx-light"
RELEASES = ("1.0.0", "1.1.0", "2.0.0")
NOT_UNPACKED = (
    *(f"/usr/share/{name}/*" for name in NEEDLESS),
    "/usr/lib/*/libLLVM*",
    "/usr/lib/*/libz3*",
    "/usr/lib/postgresql/15/lib/bitcode/*",
    "/usr/lib/postgresql/15/lib/llvmjit*",
)
NO_CLUSTER = (
    'mkdir -p "$1/etc/postgresql-common" && '
    'echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.conf"'
)
OWN = (
    'echo "ledger:x:7000:7000::/srv/ledger:/bin/sh" >> "$1/etc/passwd" && '
    'install -d -o 7000 -g 7000 -m 700 "$1/srv/ledger" && '
    'install -d -m 755 "$1/run/ledgerly" "$1/srv/upstreams"'
)
ENVIRONMENT = {
    "PATH": "/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "NODE_PATH": "/usr/share/nodejs",
}


def write_images(folder: Path) -> Path:
    """Write an OCI layout with `store:1`, `edge:1`, and `app` of every release."""
    store = make_layer({"/srv/store.sh": (HERE / "store.sh").read_bytes()})
    images = {"store:1": _image(store), "edge:1": _image()}
    images |= {f"app:{version}": _image(make_layer(app_files(version))) for version in RELEASES}
    return write_layout(folder, images)


def app_files(version: str) -> dict[str, bytes]:
    """Read the services of a release, by their paths in the image."""
    own = HERE / "releases" / version / "release.js"
    return {
        f"/srv/ledgerly/{path.name}": path.read_bytes()
        for path in (*sorted((HERE / "app").glob("*.js")), own)
    }


def _image(*layers: Layer) -> Image:
    return make_image([foreign_base(), *layers], command=["node"], environment=ENVIRONMENT)


@cache
def foreign_base() -> Layer:
    """Say the layer below all images; made once, and kept in the cache."""
    packed, note = CACHE / "foreign.tar.gz", CACHE / "foreign.diff-id"
    with one_at_a_time():
        if not (packed.exists() and note.exists()):
            layer = gzip_layer(_debian(CACHE / "foreign.part.tar").read_bytes(), level=3)
            (CACHE / "foreign.part.tar").unlink()
            packed.write_bytes(layer.raw)
            note.write_text(layer.diff_id)
    return Layer(raw=packed.read_bytes(), diff_id=note.read_text())


def _debian(tar: Path) -> Path:
    need("mmdebstrap")
    subprocess.run(
        [
            "mmdebstrap", "--variant=minbase", f"--include={PACKAGES}",
            *(f"--dpkgopt=path-exclude={path}" for path in NOT_UNPACKED),
            f"--essential-hook={NO_CLUSTER}", f"--customize-hook={OWN}",
            "bookworm", str(tar),
        ],
        check=True, timeout=BUILD_S, stdin=subprocess.DEVNULL, capture_output=True,
    )  # fmt: skip
    return tar
