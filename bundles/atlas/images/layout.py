"""The OCI layout directory: blobs, index, and the images' configurations."""

import hashlib
import json
import platform
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from layer import Layer

CREATED = "2025-01-01T00:00:00Z"
PREFIX = "application/vnd.oci.image"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """How an image runs."""

    entrypoint: tuple[str, ...]
    stop_signal: str
    env: dict[str, str] = field(default_factory=dict)
    user: str = ""
    port: int | None = None


class LayoutWriter:
    """Writes a layout beside `out` and puts it in its place at the end of a `with` block."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._folder = out.with_name(out.name + ".tmp")
        self._manifests: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        shutil.rmtree(self._folder, ignore_errors=True)
        (self._folder / "blobs" / "sha256").mkdir(parents=True)
        return self

    def add(self, name: str, version: str, layers: list[Layer], config: ImageConfig) -> None:
        """Add one image under the reference name `NAME:VERSION`."""
        for layer in layers:
            target = self._blob(layer.digest)
            if not target.exists():
                shutil.copyfile(layer.path, target)
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{PREFIX}.manifest.v1+json",
            "config": self._write("config.v1+json", _config(name, version, layers, config)),
            "layers": [
                {
                    "mediaType": f"{PREFIX}.layer.v1.tar+gzip",
                    "digest": layer.digest,
                    "size": layer.size,
                }
                for layer in layers
            ],
        }
        descriptor = self._write("manifest.v1+json", manifest)
        descriptor["platform"] = {"architecture": architecture(), "os": "linux"}
        descriptor["annotations"] = {"org.opencontainers.image.ref.name": f"{name}:{version}"}
        self._manifests.append(descriptor)

    def summary(self) -> list[str]:
        """Return a line an image, and one for the whole."""
        names = [
            f"{item['annotations']['org.opencontainers.image.ref.name']:<16} {item['digest']}"
            for item in self._manifests
        ]
        sizes = [blob.stat().st_size for blob in (self._out / "blobs" / "sha256").iterdir()]
        index = hashlib.sha256((self._out / "index.json").read_bytes()).hexdigest()
        return [*names, f"index.json       sha256:{index}, {sum(sizes) / 1e6:.1f} MB in all"]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            return
        index = {
            "schemaVersion": 2,
            "mediaType": f"{PREFIX}.index.v1+json",
            "manifests": self._manifests,
        }
        (self._folder / "index.json").write_bytes(_json(index))
        (self._folder / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))
        shutil.rmtree(self._out, ignore_errors=True)
        self._folder.rename(self._out)

    def _write(self, kind: str, document: dict[str, Any]) -> dict[str, Any]:
        raw = _json(document)
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        self._blob(digest).write_bytes(raw)
        return {"mediaType": f"{PREFIX}.{kind}", "digest": digest, "size": len(raw)}

    def _blob(self, digest: str) -> Path:
        return self._folder / "blobs" / "sha256" / digest.removeprefix("sha256:")


def architecture() -> str:
    """Return this machine's architecture in the words of OCI and Debian."""
    return ARCHITECTURES[platform.machine()]


def _config(name: str, version: str, layers: list[Layer], config: ImageConfig) -> dict[str, Any]:
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **config.env}
    labels = {"org.opencontainers.image.title": name, "org.opencontainers.image.version": version}
    run: dict[str, Any] = {
        "Entrypoint": list(config.entrypoint),
        "Env": [f"{key}={value}" for key, value in env.items()],
        "Labels": labels,
        "StopSignal": config.stop_signal,
    }
    if config.user:
        run["User"] = config.user
    if config.port:
        run["ExposedPorts"] = {f"{config.port}/tcp": {}}
    return {
        "architecture": architecture(),
        "config": run,
        "created": CREATED,
        "history": [{"created": CREATED, "created_by": "atlas"} for _ in layers],
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
    }


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
