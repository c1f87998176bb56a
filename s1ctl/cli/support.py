"""`s1ctl support-bundle`: what the vendor needs to help, with the secrets out."""

import re
import signal
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s1ctl.cli import context
from s1ctl.cli.exit_codes import INTERRUPTED
from s1ctl.cli.output import table
from s1ctl.errors import UsageError
from s1ctl.operation.interrupt import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from s1ctl.operation.context import Context
    from s1ctl.report.support.collect import Collected
    from s1ctl.report.support.make import Made
    from s1ctl.report.support.sources import Sources

SCHEMA = 1
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def support_bundle(
    line: typer.Context,
    *,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="By default a name with the time, here."),
    ] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="List files and sizes; write nothing.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="AGE|TIME", help="Logs from then on: 90m, 24h, 7d, or a UTC time."),
    ] = None,
) -> None:
    """Write an archive for the vendor, with the secrets masked.

    It works at a broken site too: each part that is missing is named, with the reason. Nothing is
    changed, and nothing is sent.
    """
    from s1ctl.report.support.make import make_support_bundle, preview_support_bundle

    here = context.of(line)
    sources = _sources(here, since)
    path = None if preview else out or Path(_name(sources))
    with _stoppable() as is_stopped:
        if path is None:
            made = preview_support_bundle(sources, tell=_teller(here), is_stopped=is_stopped)
        else:
            made = make_support_bundle(sources, path, tell=_teller(here), is_stopped=is_stopped)
    text = preview_lines(made) if path is None else describe(made, path)
    here.output.result(text, document(made, path))
    if made.collection.is_interrupted:
        raise typer.Exit(INTERRUPTED)


@contextmanager
def _stoppable() -> "Iterator[Callable[[], bool]]":
    """Have the first Ctrl-C end the collecting, wherever it falls; the second ends the program."""
    asked = threading.Event()

    def stop(*_: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    obeyed = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    formers = {number: signal.signal(number, stop) for number in obeyed}
    try:
        yield asked.is_set
    finally:
        for number, former in formers.items():
            signal.signal(number, former)


def parse_since(text: str, now: datetime) -> datetime:
    """Read an age such as `24h`, or a time in ISO 8601 (UTC). Raises `UsageError` S1-U180."""
    found = re.fullmatch(r"(\d{1,5})([mhd])", text)
    if found:
        return now - timedelta(**{UNITS[found[2]]: int(found[1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"`--since {text}` is neither an age nor a time",
            code="S1-U180",
            hint="write it as `s1ctl support-bundle --since 24h`, or 90m, 7d, 2026-03-01T02:00",
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def describe(made: "Made", path: Path) -> list[str]:
    """Say what is in the bundle, what is not, and how to look into it."""
    files = sum(member.size_bytes for member in made.members)
    return [
        f"{path}: {len(made.members)} files, {files:,} bytes, {made.size_bytes:,} packed",
        f"sha256 {made.sha256}",
        *_parts(made),
        f"look before you send it: `tar -tzvf {path}`, `tar -xzOf {path} manifest.json`",
    ]


def preview_lines(made: "Made") -> list[str]:
    """List the files and their sizes; nothing was written."""
    rows = [(member.name, f"{member.size_bytes:,}") for member in made.members]
    return [*table(rows), *_parts(made), "nothing was written"]


def document(made: "Made", path: Path | None) -> dict[str, Any]:
    """Make the plain data of a bundle, or of a preview of one."""
    return {
        "schema": SCHEMA,
        "file": str(path) if path else None,
        "bytes": made.size_bytes if path else None,
        "sha256": made.sha256,
        "is_interrupted": made.collection.is_interrupted,
        "files": [
            {"name": m.name, "bytes": m.size_bytes, "sha256": m.sha256} for m in made.members
        ],
        "collectors": [
            {
                "name": one.name,
                "status": one.status,
                "reasons": list(one.reasons),
                "files": one.files,
                "duration_ms": one.duration_ms,
            }
            for one in made.collection.ended
        ],
        "masked": made.masked,
        "unknown": list(made.unknown),
    }


def _parts(made: "Made") -> list[str]:
    lines = [text for one in made.collection.ended for text in _part(one)]
    counts = ", ".join(f"{rule} {count}" for rule, count in made.masked.items())
    lines.append(f"masked: {counts or 'nothing'}")
    if made.unknown:
        lines.append(f"not masked by value, since not readable: {', '.join(made.unknown)}")
    if made.collection.is_interrupted:
        lines.append("interrupted: what was collected until then is in it")
    return lines


def _part(one: "Collected") -> list[str]:
    first = f"  {one.status:<8}{one.name}, {one.files} files"
    return [first, *(f"          {reason}" for reason in one.reasons)]


def _sources(here: context.Here, since: str | None) -> "Sources":
    from s1ctl.cli.surroundings import look
    from s1ctl.report.support.sources import find_sources

    def looking() -> "Context":
        here.only_look()
        return look(here)

    now = datetime.now(UTC)
    return find_sources(
        site_file=here.site_file,
        usual_state=here.default_state,
        environment=here.environment,
        context=looking,
        now=lambda: now,
        since=parse_since(since, now) if since else None,
    )


def _teller(here: context.Here) -> Any:
    return lambda name: here.output.say(f"collect {name}")


def _name(sources: "Sources") -> str:
    return f"s1ctl-support-{sources.name or 'site'}-{sources.now():%Y%m%dT%H%M%SZ}.tar.gz"
