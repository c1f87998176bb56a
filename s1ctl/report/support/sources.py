"""Where a support bundle is collected from: also at a site whose site file cannot be used."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from s1ctl.errors import S1Error
from s1ctl.operation.context import Context
from s1ctl.site.config import Site, read_site

NO_SOCKET = "/var/run/docker.sock"
MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is known of the site; `site` is None where its file cannot be used: `fault` says why.

    `name`, `state` and `socket` are then what its text seems to say, or the usual ones. `context`
    makes what the checks run in, and raises `S1Error` where that cannot be had.
    """

    site: Site | None
    site_file: Path
    text: str
    fault: str
    name: str | None
    state: Path
    usual_state: Path
    socket: str
    environment: Mapping[str, str]
    context: Callable[[], Context]
    now: Callable[[], datetime]
    since: datetime | None = None

    @property
    def states(self) -> tuple[Path, ...]:
        """The state directory, and the usual one, where the log is while no site file is read."""
        return tuple(dict.fromkeys((self.state, self.usual_state)))

    @property
    def ledger(self) -> Path:
        """The ledger's file, whether it is there or not."""
        return self.state / "ledger.db"


def find_sources(
    *,
    site_file: Path,
    usual_state: Path,
    environment: Mapping[str, str],
    context: Callable[[], Context],
    now: Callable[[], datetime],
    since: datetime | None,
) -> Sources:
    """Read the site file, or what can be made of it. Raises nothing."""
    site, fault, text = None, "", ""
    try:
        site = read_site(site_file)
    except S1Error as error:
        fault = f"{error.code}: {error.message}"
        text = _text(site_file)
    except OSError as error:
        fault = f"`{site_file}`: {error.strerror}"
    return Sources(
        site=site,
        site_file=site_file,
        text=text,
        fault=fault,
        name=site.name if site else _said("name", text),
        state=site.state if site else Path(_said("state_dir", text) or usual_state),
        usual_state=usual_state,
        socket=site.target.socket if site else _said("socket", text) or NO_SOCKET,
        environment=environment,
        context=context,
        now=now,
        since=since,
    )


def _said(key: str, text: str) -> str | None:
    """Find what a text that may be no YAML seems to say of a key."""
    wanted = {
        "name": r"[a-z][a-z0-9-]{0,30}",
        "state_dir": r"/[^\s'\"#,}]+",
        "socket": r"/[^\s'\"#,}]+",
    }
    at = r"(?m)^" if key != "socket" else r"\b"
    found = re.search(rf"{at}{key}:[ \t]*['\"]?({wanted[key]})", text)
    return found[1] if found else None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
