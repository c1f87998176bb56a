"""Images made in pure Python: a base of Debian made once, layers of ours, pushed or laid out."""

import base64
import fcntl
import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.require import need

CACHE = Path(__file__).parent.parent.parent / "dist" / "test" / "cache"
PACKAGES = "python3-minimal,nginx-light"
EPOCH = 1_700_000_000
BUILD_S = 900
OCI = "application/vnd.oci.image."
NEEDLESS = ("doc", "man", "locale", "info")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A gzipped layer, and the digest of its bytes before."""

    raw: bytes
    diff_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A manifest and all blobs that it names, by digest."""

    digest: str
    manifest: bytes
    blobs: Mapping[str, bytes] = field(repr=False)


def make_layer(files: Mapping[str, bytes], *, mode: int = 0o644) -> Layer:
    """Make a layer of files by absolute path; the same files make the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mtime, entry.mode = len(content), EPOCH, mode
            tar.addfile(entry, io.BytesIO(content))
    return gzip_layer(buffer.getvalue(), level=6)


def gzip_layer(tar: bytes, *, level: int) -> Layer:
    """Compress a layer, reproducibly."""
    return Layer(raw=gzip.compress(tar, level, mtime=0), diff_id=digest_of(tar))


def make_image(
    layers: Sequence[Layer],
    *,
    command: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Image:
    """Make an OCI image of linux/amd64."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2023-11-14T22:13:20Z",
        "config": {
            "Cmd": list(command),
            "Env": [f"{key}={value}" for key, value in (environment or {}).items()],
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [{"created_by": "tests"} for _ in layers],
    }
    raw_config = json.dumps(config).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI + "manifest.v1+json",
        "config": describe(raw_config, OCI + "config.v1+json"),
        "layers": [describe(layer.raw, OCI + "layer.v1.tar+gzip") for layer in layers],
    }
    raw = json.dumps(manifest).encode()
    blobs = {digest_of(blob): blob for blob in (raw_config, *(layer.raw for layer in layers))}
    return Image(digest=digest_of(raw), manifest=raw, blobs=blobs)


def describe(raw: bytes, media_type: str) -> dict[str, object]:
    """Make a descriptor."""
    return {"mediaType": media_type, "digest": digest_of(raw), "size": len(raw)}


def digest_of(raw: bytes) -> str:
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def write_layout(folder: Path, images: Mapping[str, Image]) -> Path:
    """Write an OCI layout; the keys become `org.opencontainers.image.ref.name`."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    entries = []
    for name, image in images.items():
        for digest, raw in {**image.blobs, image.digest: image.manifest}.items():
            (blobs / digest.removeprefix("sha256:")).write_bytes(raw)
        entry = describe(image.manifest, OCI + "manifest.v1+json")
        entries.append({**entry, "annotations": {"org.opencontainers.image.ref.name": name}})
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    index = {"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": entries}
    (folder / "index.json").write_text(json.dumps(index))
    return folder


def push_image(
    url: str,
    repository: str,
    image: Image,
    *,
    tag: str = "latest",
    user: str | None = None,
    password: str | None = None,
) -> None:
    """Push an image to a registry over plain HTTP."""
    wire = _Wire(user, password)
    for digest, raw in image.blobs.items():
        if wire.status("HEAD", f"{url}/v2/{repository}/blobs/{digest}") != 200:
            _upload(wire, url, repository, digest, raw)
    kind = OCI + "manifest.v1+json"
    status = wire.status("PUT", f"{url}/v2/{repository}/manifests/{tag}", image.manifest, kind)
    if status != 201:
        raise RuntimeError(f"the registry answered {status} to a manifest")


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait while another process fills the cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def base_layer() -> Layer:
    """Say the base of the tests' platform: Debian with a small Python and nginx; made once."""
    packed, note = CACHE / "base.tar.gz", CACHE / "base.diff-id"
    with one_at_a_time():
        if not (packed.exists() and note.exists()):
            layer = gzip_layer(_base_tar().read_bytes(), level=3)
            packed.write_bytes(layer.raw)
            note.write_text(layer.diff_id)
    return Layer(raw=packed.read_bytes(), diff_id=note.read_text())


def _base_tar() -> Path:
    tar = CACHE / "base.tar"
    if not tar.exists():
        need("mmdebstrap")
        beside = CACHE / "base.part.tar"
        subprocess.run(
            [
                "mmdebstrap", "--variant=minbase", f"--include={PACKAGES}",
                *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in NEEDLESS),
                "bookworm", str(beside),
            ],
            check=True, timeout=BUILD_S, stdin=subprocess.DEVNULL, capture_output=True,
        )  # fmt: skip
        beside.replace(tar)
    return tar


def _upload(wire: "_Wire", url: str, repository: str, digest: str, raw: bytes) -> None:
    with wire.open("POST", f"{url}/v2/{repository}/blobs/uploads/", b"") as response:
        place = response.headers["Location"]
    place = place if place.startswith("http") else url + place
    mark = "&" if "?" in place else "?"
    status = wire.status("PUT", f"{place}{mark}digest={digest}", raw, "application/octet-stream")
    if status != 201:
        raise RuntimeError(f"the registry answered {status} to a blob")


class _Wire:
    def __init__(self, user: str | None, password: str | None) -> None:
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}"} if user else {}

    def status(self, method: str, url: str, raw: bytes | None = None, kind: str = "") -> int:
        try:
            with self.open(method, url, raw, kind) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def open(self, method: str, url: str, raw: bytes | None = None, kind: str = ""):
        headers = {**self._headers, **({"Content-Type": kind} if kind else {})}
        request = urllib.request.Request(url, data=raw, headers=headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return opener.open(request, timeout=60)
