"""The full pass: every byte of a bundle is read and proven, and nothing is written."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from s1ctl.bundle.reader import Bundle, open_bundle
from s1ctl.oci.digest import Digest
from s1ctl.progress import Notify, Progress, silent
from s1ctl.release.manifest import Blob
from s1ctl.release.verified import VerifiedRelease
from s1ctl.trust.root import Trust

WORKERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What was proven: `blobs` of the release, and the `bytes` of the whole file."""

    release: Digest
    product: str
    version: str
    sequence: int
    signers: tuple[str, ...]
    blobs: int
    bytes: int
    seconds: float


def verify_bundle(
    path: Path,
    trust: Trust,
    notify: Notify = silent,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> VerifyReport:
    """Open the bundle at `path`, which proves all but its layers, then hash those. Raises alike."""
    start = clock()
    with open_bundle(path, trust) as bundle:
        _hash_layers(bundle, notify)
        return _report(bundle.release, bundle.size, clock() - start)


def _hash_layers(bundle: Bundle, notify: Notify) -> None:
    layers = [blob for blob in bundle.release.manifest.blobs if blob.kind == "oci-layer"]
    total = sum(layer.size for layer in layers)
    tally = _Tally(bundle.release.manifest.title, total, notify)

    def hash_layer(layer: Blob) -> None:
        for chunk in bundle.stream(layer.digest):
            if tally.is_stopped.is_set():
                return
            tally.add(len(chunk))

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="verify") as pool:
        try:
            for _ in pool.map(hash_layer, sorted(layers, key=lambda layer: -layer.size)):
                pass
        finally:
            tally.is_stopped.set()  # a refusal, or an interruption, ends the others too


class _Tally:
    """Bytes done, over all threads; `notify` is called by one at a time."""

    def __init__(self, label: str, total: int, notify: Notify) -> None:
        self.is_stopped = threading.Event()
        self._lock = threading.Lock()
        self._label = label
        self._total = total
        self._done = 0
        self._notify = notify

    def add(self, size: int) -> None:
        with self._lock:
            self._done += size
            self._notify(Progress(label=self._label, done=self._done, total=self._total))


def _report(release: VerifiedRelease, size: int, seconds: float) -> VerifyReport:
    manifest = release.manifest
    return VerifyReport(
        release=release.digest,
        product=manifest.product,
        version=str(manifest.version),
        sequence=manifest.sequence,
        signers=release.signers,
        blobs=len(manifest.blobs),
        bytes=size,
        seconds=seconds,
    )
