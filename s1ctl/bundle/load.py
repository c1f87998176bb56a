"""Load a bundle: its images into the private registry, its release into the release store."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from s1ctl.bundle.needs import BlobNeed, ManifestNeed, Needs, TagNeed, make_needs
from s1ctl.bundle.workers import Stop, run_all
from s1ctl.errors import InputOutputFailed
from s1ctl.ledger.store import ReleaseStore
from s1ctl.oci.digest import Digest
from s1ctl.oci.registry import Registry
from s1ctl.oci.retry import Patience, TemporarilyFailed, retry
from s1ctl.progress import Notify, Progress, silent
from s1ctl.release.verified import VerifiedRelease

WORKERS = 4
ONLY_IN_REGISTRY = frozenset({"oci-layer", "oci-config"})
SETTLING = Patience(tries=6, first_s=0.2, longest_s=5)


class Loadable(Protocol):
    """What `load` needs of a bundle."""

    @property
    def release(self) -> VerifiedRelease:
        """The release, verified."""

    def stream(self, digest: Digest) -> Iterator[bytes]:
        """Yield a blob; raises at its end if its bytes are not those of `digest`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedTag:
    """A tag that named another digest before."""

    name: str
    was: Digest
    now: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """An image's manifest that was there without some of what it names, so that no pull worked."""

    name: str
    missing: tuple[Digest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """What a load would do; `there_bytes` are those of blobs that the registry can mount or has."""

    unique_bytes: int
    there_bytes: int
    send_bytes: int
    blobs: int
    blobs_there: int
    manifests: int
    tags: tuple[str, ...]
    moved_tags: tuple[MovedTag, ...]
    repairs: tuple[Repair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What a load did; `tags` are all tags of the release, each read back from the registry."""

    bytes_sent: int
    blobs_sent: int
    blobs_mounted: int
    blobs_there: int
    manifests_sent: int
    tags: tuple[str, ...]
    moved_tags: tuple[MovedTag, ...]
    repairs: tuple[Repair, ...]
    seconds: float


def load_bundle(
    bundle: Loadable,
    registry: Registry,
    prefix: str,
    store: ReleaseStore,
    *,
    workers: int = WORKERS,
    notify: Notify = silent,
    clock: Callable[[], float] = time.monotonic,
) -> LoadReport:
    """Bring the registry to hold all images of `bundle` under `prefix`, then store its release.

    Each blob is sent once, straight from the bundle, and mounted elsewhere; one that the registry
    has is only read and proven. Then come manifests, children first, then tags, then the store: a
    release in the store is whole in the registry, and every byte of its bundle was true.
    Killed at any point it leaves blobs and manifests that no tag names yet; again, it sends only
    what lacks. `notify` is called from the workers, one at a time.
    """
    started = clock()
    needs = make_needs(bundle.release, prefix)
    found = survey(needs, registry, workers=workers)
    loading = _Loading(bundle, registry, found, total=needs.unique_bytes, notify=notify)
    run_all(needs.blobs, loading.place_blob, workers=workers, setbacks=lambda: registry.setbacks)
    manifests = [need for need in needs.manifests if loading.is_wanted(need)]
    for manifest in manifests:
        registry.put_manifest(
            manifest.repository, manifest.digest, manifest.raw, manifest.media_type
        )
    for tag in needs.tags:
        _set_tag(tag, found, registry)
    release = bundle.release
    store.put(release.digest, release.header, _small_blobs(release))
    return LoadReport(
        bytes_sent=loading.bytes_sent,
        blobs_sent=loading.blobs_sent,
        blobs_mounted=loading.blobs_mounted,
        blobs_there=sum(1 for need in needs.blobs if not found.lacking(need)),
        manifests_sent=len(manifests),
        tags=tuple(map(str, needs.tags)),
        moved_tags=found.moved_tags(needs),
        repairs=found.repairs(needs),
        seconds=clock() - started,
    )


def plan_load(
    bundle: Loadable, registry: Registry, prefix: str, *, workers: int = WORKERS
) -> LoadPlan:
    """Ask the registry what it has of `bundle`, and work out what a load would send."""
    needs = make_needs(bundle.release, prefix)
    found = survey(needs, registry, workers=workers)
    send_bytes = found.bytes_lacking(needs)
    return LoadPlan(
        unique_bytes=needs.unique_bytes,
        there_bytes=needs.unique_bytes - send_bytes,
        send_bytes=send_bytes,
        blobs=len(needs.blobs),
        blobs_there=sum(1 for need in needs.blobs if not found.lacking(need)),
        manifests=sum(1 for need in needs.manifests if not found.has(need)),
        tags=tuple(map(str, needs.tags)),
        moved_tags=found.moved_tags(needs),
        repairs=found.repairs(needs),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a registry had: repositories by blob, digests by manifest and tag (None: nothing)."""

    blobs: Mapping[Digest, frozenset[str]]
    manifests: Mapping[tuple[str, str], Digest | None]

    def lacking(self, need: BlobNeed) -> tuple[str, ...]:
        """Name the repositories that do not hold the blob yet."""
        return tuple(name for name in need.repositories if name not in self.blobs[need.digest])

    def bytes_lacking(self, needs: Needs) -> int:
        """Add up the blobs that no repository of theirs holds, so that they must be sent."""
        return sum(need.size for need in needs.blobs if not self.blobs[need.digest])

    def has(self, need: ManifestNeed) -> bool:
        """Say whether the manifest was there."""
        return self.manifests[need.repository, need.digest] == need.digest

    def tagged(self, need: TagNeed) -> Digest | None:
        """Say what the tag named."""
        return self.manifests[need.manifest.repository, need.tag]

    def moved_tags(self, needs: Needs) -> tuple[MovedTag, ...]:
        """List the tags that named something else."""
        return tuple(
            MovedTag(name=str(need), was=was, now=need.manifest.digest)
            for need in needs.tags
            if (was := self.tagged(need)) is not None and was != need.manifest.digest
        )

    def repairs(self, needs: Needs) -> tuple[Repair, ...]:
        """List the manifests that were there with something missing behind them."""
        return tuple(
            Repair(name=str(need), missing=missing)
            for need in needs.manifests
            if self.has(need) and (missing := self._missing(need))
        )

    def _missing(self, need: ManifestNeed) -> tuple[Digest, ...]:
        at = need.repository
        blobs = [digest for digest in need.blobs if at not in self.blobs[digest]]
        return *blobs, *(one for one in need.children if self.manifests[at, one] != one)


def survey(needs: Needs, registry: Registry, *, workers: int) -> Found:
    """Ask whether this is a registry at all, then for all of `needs`, by HEAD alone."""
    registry.ping()
    holds: dict[tuple[str, Digest], bool] = {}
    names: dict[tuple[str, str], Digest | None] = {}

    def ask_blob(asked: tuple[str, BlobNeed], _: Stop) -> None:
        name, need = asked
        holds[name, need.digest] = registry.has_blob(name, need.digest, need.size)

    def ask_name(asked: tuple[str, str], _: Stop) -> None:
        names[asked] = registry.has_manifest(*asked, is_to_be_sent=True)

    pairs = [(name, need) for need in needs.blobs for name in need.repositories]
    run_all(pairs, ask_blob, workers=workers)
    manifests = [(need.repository, str(need.digest)) for need in needs.manifests]
    tags = [(need.manifest.repository, need.tag) for need in needs.tags]
    run_all(dict.fromkeys(manifests + tags), ask_name, workers=workers)
    return Found(
        blobs={
            need.digest: frozenset(n for n in need.repositories if holds[n, need.digest])
            for need in needs.blobs
        },
        manifests=names,
    )


class _Loading:
    """The blobs of one load on their way; counts what went."""

    def __init__(
        self,
        bundle: Loadable,
        registry: Registry,
        found: Found,
        *,
        total: int,
        notify: Notify,
    ) -> None:
        self.blobs_sent = 0
        self.blobs_mounted = 0
        self._bundle = bundle
        self._registry = registry
        self._found = found
        self._notify = notify
        self._total = total
        self._sent: dict[tuple[str, Digest], int] = {}
        self._proven: dict[Digest, int] = {}
        self._filled: set[str] = set()
        self._lock = threading.Lock()

    @property
    def bytes_sent(self) -> int:
        """The bytes of the blobs that were sent."""
        return sum(self._sent.values())

    def is_wanted(self, need: ManifestNeed) -> bool:
        """Say whether to send a manifest: it lacks, or blobs of its repository did."""
        return not self._found.has(need) or need.repository in self._filled

    def place_blob(self, need: BlobNeed, stop: Stop) -> None:
        """Bring a blob into each repository that lacks it: sent to the first, else mounted."""
        sources = sorted(self._found.blobs[need.digest])
        if sources:
            self._prove(need, stop)
        for repository in self._found.lacking(need):
            stop.check()
            is_mounted = bool(sources) and self._registry.mount_blob(
                repository, need.digest, sources[0]
            )
            if not is_mounted:
                self._send(repository, need, stop)
            self._wait_until_there(repository, need, stop)
            sources.append(repository)
            with self._lock:
                self._filled.add(repository)
                self.blobs_mounted += is_mounted
                self.blobs_sent += not is_mounted

    def _prove(self, need: BlobNeed, stop: Stop) -> None:
        """Read a blob that is not sent: a bundle whose bytes lie must not be called good."""
        for chunk in self._bundle.stream(need.digest):
            stop.check()
            with self._lock:
                self._proven[need.digest] = self._proven.get(need.digest, 0) + len(chunk)
                self._tell()

    def _send(self, repository: str, need: BlobNeed, stop: Stop) -> None:
        chunks = _Chunks(lambda: self._counted(repository, need, stop))
        self._registry.upload_blob(repository, need.digest, need.size, chunks)

    def _counted(self, repository: str, need: BlobNeed, stop: Stop) -> Iterator[bytes]:
        """Yield a blob from its beginning, and tell how far it has come."""
        sent = 0
        for chunk in self._bundle.stream(need.digest):
            stop.check()
            yield chunk
            sent += len(chunk)
            with self._lock:
                self._sent[repository, need.digest] = sent
                self._tell()

    def _tell(self) -> None:
        label = self._bundle.release.manifest.title
        done = self.bytes_sent + sum(self._proven.values())
        self._notify(Progress(label=label, done=done, total=self._total))

    def _wait_until_there(self, repository: str, need: BlobNeed, stop: Stop) -> None:
        """Give a registry of several replicas a moment to know everywhere what it took."""

        def look(_: int) -> None:
            if not self._registry.has_blob(repository, need.digest, need.size):
                raise TemporarilyFailed(
                    f"`{self._registry.host}` took `{need.digest}` into `{repository}` but does"
                    " not hold it, or not whole",
                    code="S1-R24",
                    hint="look at the registry's log and its storage for that digest; a damaged"
                    " blob must be deleted there, then run the command again",
                )

        retry(look, patience=SETTLING, pause=stop.pause, jitter=lambda: 0)


class _Chunks:
    """A blob that can be read again from its beginning, once for each try to send it."""

    def __init__(self, read: Callable[[], Iterator[bytes]]) -> None:
        self._read = read

    def __iter__(self) -> Iterator[bytes]:
        return self._read()


def _set_tag(need: TagNeed, found: Found, registry: Registry) -> None:
    """Make a tag name its manifest, and read it back."""
    manifest = need.manifest
    if found.tagged(need) == manifest.digest:
        return
    registry.put_manifest(manifest.repository, need.tag, manifest.raw, manifest.media_type)
    now = registry.has_manifest(manifest.repository, need.tag)
    if now != manifest.digest:
        raise InputOutputFailed(
            f"`{registry.host}` answers `{now}` for tag `{need}`, just set to `{manifest.digest}`",
            code="S1-R23",
            hint="find out who else sets that tag, then run the command again",
        )


def _small_blobs(release: VerifiedRelease) -> Iterator[tuple[Digest, bytes]]:
    for blob in release.manifest.blobs:
        if blob.kind not in ONLY_IN_REGISTRY:
            yield blob.digest, release.small(blob.digest)
