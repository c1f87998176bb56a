"""Every secret that s1ctl keeps or is pointed at, so that its value can be masked."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from s1ctl.errors import S1Error
from s1ctl.masking.encodings import forms_of
from s1ctl.masking.redact import Known, masked_by
from s1ctl.site.config import Site
from s1ctl.site.secrets import KEY, SecretSource, said_by_commands

_VARIABLE = re.compile(
    r"(pass|_pwd|secret|token|credential|api_?key)(?!.*(file|path)$)", re.IGNORECASE
)
_REFERENCE = re.compile(r"\b(env:[A-Za-z_]\w*|file:/[^\s\"'},\]]+)")
MAX_BYTES = 64 * 1024


@dataclass(slots=True)
class Gathered:
    """The forms of what is known; `unknown` names what could not be read, and why."""

    forms: set[str] = field(default_factory=set)
    unknown: list[str] = field(default_factory=list)

    @property
    def known(self) -> Known:
        """Make what masks them."""
        return Known(self.forms)

    def add(self, value: str | bytes) -> None:
        """Take a value in, in each of its forms."""
        self.forms |= forms_of(value)


def gather_known(
    site: Site | None,
    *,
    text: str,
    states: tuple[Path, ...],
    environment: Mapping[str, str],
    has_commands: bool = True,
) -> Gathered:
    """Fetch every secret: generated ones in all versions, and those that the site file names.

    Where the site file was not read, references are found in its `text`, and no command is run.
    Without `has_commands` none is run either: what they said to this process before is known.
    """
    gathered = Gathered()
    for state in states:
        for pattern in ("secrets/.key", "secrets/*/*", "mounts/*/secrets/*"):
            _add_files(gathered, state, pattern)
    if site is None:
        gathered.unknown += _unresolved(text)
    sources = list(_sources(site) if site else _references(text))
    _add_sources(gathered, [s for s in sources if has_commands or not s[1].is_command], environment)
    for name, value in environment.items():
        if _VARIABLE.search(name):
            gathered.add(value)
    for secret in () if has_commands else said_by_commands():
        gathered.add(secret.reveal())
    return gathered


def _add_sources(
    gathered: Gathered, sources: Iterable[tuple[str, SecretSource]], environment: Mapping[str, str]
) -> None:
    for name, source in sources:
        try:
            gathered.add(source.resolve(environment).reveal())
        except S1Error as error:
            gathered.unknown.append(f"{name} ({error.code})")


def mask_of(
    site: Site | None, *, state: Path, environment: Mapping[str, str]
) -> Callable[[str], str]:
    """Make what masks every secret of a site, and what looks like one, in texts of others.

    No command is run for it. Raises nothing: what cannot be read is not known.
    """
    gathered = gather_known(
        site, text="", states=(state,), environment=environment, has_commands=False
    )
    return partial(masked_by, gathered.known)


def _add_files(gathered: Gathered, state: Path, pattern: str) -> None:
    """Take in what is in the store, and what containers were given: its source may be another."""
    try:
        top = state / pattern.partition("/")[0]
        if top.is_dir():
            next(top.iterdir(), None)  # a search in what may not be entered finds nothing, silently
        paths = sorted(path for path in state.glob(pattern) if path.is_file())
    except OSError as error:
        gathered.unknown.append(f"{state}/{pattern} ({error.strerror})")
        return
    for path in paths:
        try:
            raw = path.read_bytes()[:MAX_BYTES]
        except OSError as error:
            gathered.unknown.append(f"{path.parent.name} {path.name} ({error.strerror})")
            continue
        gathered.add(raw if path.name == KEY else raw.decode("utf-8", "replace"))


def _sources(site: Site) -> Iterator[tuple[str, SecretSource]]:
    """Yield every source of the site file; text settings that look like one are harmless."""
    if site.registry.password:
        yield "registry.password", site.registry.password
    for name, access in site.databases.items():
        if access.url:
            yield f"databases.{name}.url", access.url
    for name, value in site.values.items():
        try:
            yield f"values.{name}", SecretSource(str(value))
        except ValueError:
            continue


def _unresolved(text: str) -> Iterator[str]:
    """Say what is not known where the site file was not read."""
    if "cmd:" in text:
        yield "what a `cmd:` of the site file says (it is not run from a file that is refused)"
    if not text:
        yield "what the site file names (it was not read)"


def _references(text: str) -> Iterator[tuple[str, SecretSource]]:
    for found in _REFERENCE.findall(text):
        yield found, SecretSource(found)
