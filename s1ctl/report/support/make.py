"""Make a support bundle: collect, account for it, write it, look for leaks, put it in its place."""

import hashlib
import json
import platform
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from s1ctl import __version__
from s1ctl.masking.redact import Redactor
from s1ctl.report.support.collect import Collection, Collector, collect
from s1ctl.report.support.gate import check_archive
from s1ctl.report.support.lines import BLOCK_BYTES, lines_of
from s1ctl.report.support.parts import collectors_of
from s1ctl.report.support.sources import Sources
from s1ctl.report.support.writer import (
    BundleWriter,
    Member,
    put_in_place,
    refuse_existing,
    unwritable,
    workplace,
)
from s1ctl.site.known import Gathered, gather_known

SCHEMA = 1
Tell = Callable[[str], None]
IsStopped = Callable[[], bool]


def never() -> bool:
    """Go on to the end."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A bundle, or what one would be: then there is no `sha256`."""

    members: tuple[Member, ...]
    collection: Collection
    unknown: tuple[str, ...]
    size_bytes: int = 0
    sha256: str | None = None

    @property
    def masked(self) -> dict[str, int]:
        """How often each rule masked something."""
        total: Counter[str] = Counter()
        for member in self.members:
            total.update(member.masked)
        return dict(sorted(total.items()))


def preview_support_bundle(
    sources: Sources,
    *,
    tell: Tell,
    is_stopped: IsStopped = never,
    collectors: dict[str, Collector] | None = None,
) -> Made:
    """Collect and mask as `make_support_bundle` does, and write nothing."""
    gathered, chosen = _gather(sources), collectors or collectors_of(sources)
    writer = BundleWriter(Redactor(gathered.known), None)
    collection = collect(chosen, writer, tell=tell, is_stopped=is_stopped)
    _account(writer, sources, gathered, collection)
    return _made(writer, collection, gathered)


def make_support_bundle(
    sources: Sources,
    path: Path,
    *,
    tell: Tell,
    is_stopped: IsStopped = never,
    collectors: dict[str, Collector] | None = None,
) -> Made:
    """Write a bundle to `path`, mode 0600: whole, or not at all.

    When `is_stopped`, what was collected until then is written.
    Raises `PolicyRefused` S1-P60 where a secret was found in it, `UsageError` S1-U181 where a file
    is there, `InputOutputFailed` S1-I02 where it cannot be written; nothing else, however broken
    the site is. Crash: leaves a folder of masked files beside `path` that ends in `.tmp`.
    """
    refuse_existing(path)
    gathered, chosen = _gather(sources), collectors or collectors_of(sources)
    redactor = Redactor(gathered.known)
    with workplace(path) as (folder, archive):
        writer = BundleWriter(redactor, folder)
        try:
            collection = collect(chosen, writer, tell=tell, is_stopped=is_stopped)
            _account(writer, sources, gathered, collection)
            writer.write(archive)
        except OSError as error:
            raise unwritable(path, error) from None
        check_archive(archive, redactor)
        size, digest = archive.stat().st_size, _sha256(archive)
        put_in_place(archive, path)
    return _made(writer, collection, gathered, size=size, sha256=digest)


def _gather(sources: Sources) -> Gathered:
    return gather_known(
        sources.site,
        text=sources.text,
        states=sources.states,
        environment=sources.environment,
    )


def _account(
    writer: BundleWriter, sources: Sources, gathered: Gathered, collection: Collection
) -> None:
    """Add what was masked, and the manifest of all."""
    counts = {name: member.masked for name, member in sorted(writer.members.items())}
    masked = {name: rules for name, rules in counts.items() if rules}
    _add(writer, "redactions.json", {"schema": SCHEMA, "files": masked})
    _add(writer, "manifest.json", _manifest(writer, sources, gathered, collection))


def _manifest(
    writer: BundleWriter, sources: Sources, gathered: Gathered, collection: Collection
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "s1ctl": __version__,
        "python": platform.python_version(),
        "created": sources.now().isoformat(timespec="seconds"),
        "site": sources.name,
        "since": sources.since.isoformat() if sources.since else None,
        "is_interrupted": collection.is_interrupted,
        "collectors": [asdict(one) for one in collection.ended],
        "unknown": gathered.unknown,
        "files": [
            {"name": member.name, "bytes": member.size_bytes, "sha256": member.sha256}
            for _, member in sorted(writer.members.items())
        ],
    }


def _add(writer: BundleWriter, name: str, data: dict[str, Any]) -> None:
    text = json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False)
    writer.add(name, lines_of([text.encode()]))


def _made(
    writer: BundleWriter,
    collection: Collection,
    gathered: Gathered,
    *,
    size: int = 0,
    sha256: str | None = None,
) -> Made:
    members = tuple(member for _, member in sorted(writer.members.items()))
    return Made(
        members=members,
        collection=collection,
        unknown=tuple(writer.line(text) for text in gathered.unknown),
        size_bytes=size,
        sha256=sha256,
    )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(BLOCK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
