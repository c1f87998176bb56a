"""Where a command runs: the site file, and what is opened only when a command asks for it."""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from s1ctl.cli.output import Output
from s1ctl.errors import UsageError

if TYPE_CHECKING:
    from s1ctl.cli.progress import ProgressLine
    from s1ctl.ledger.ledger import Ledger
    from s1ctl.ledger.store import ReleaseStore
    from s1ctl.oci.registry import Registry
    from s1ctl.site.config import Site
    from s1ctl.trust.root import Trust

SYSTEM_SITE = Path("/etc/s1ctl/site.yaml")
SYSTEM_STATE = Path("/var/lib/s1ctl")
REGISTRY = "registry.password"


def of(line: typer.Context) -> "Here":
    """Find what the command line runs in."""
    here = line.obj
    assert isinstance(here, Here)
    return here


class Here:
    """The surroundings of one command line; each part is opened at its first use."""

    def __init__(self, *, output: Output, environment: Mapping[str, str]) -> None:
        self.output = output
        self.environment = environment
        self.site_option: Path | None = None
        self.is_looking = False

    @property
    def site_file(self) -> Path:
        """`--site`, `S1CTL_SITE`, or the usual place for root or for this user."""
        if self.site_option:
            return self.site_option
        if os.geteuid() == 0:
            return SYSTEM_SITE
        return self._user_folder("XDG_CONFIG_HOME", ".config") / "s1ctl" / "site.yaml"

    @property
    def default_state(self) -> Path:
        """Where the state directory is unless the site file says so."""
        if os.geteuid() == 0:
            return SYSTEM_STATE
        return self._user_folder("XDG_STATE_HOME", ".local/state") / "s1ctl"

    @property
    def log_file(self) -> Path:
        """The log; where the site file was not read it is in the usual state directory."""
        site = self.__dict__.get("site")
        return (site.state if site else self.default_state) / "logs" / "s1ctl.log"

    @cached_property
    def site(self) -> "Site":
        """The site file, read and checked."""
        from s1ctl.site.config import read_site

        return read_site(self.site_file)

    @cached_property
    def notify(self) -> "ProgressLine":
        """What shows progress."""
        from s1ctl.cli.progress import ProgressLine

        is_moving = sys.stderr.isatty() and self.environment.get("TERM") != "dumb"
        return ProgressLine(sys.stderr, is_terminal=is_moving, is_silent=self.output.is_quiet)

    @cached_property
    def ledger(self) -> "Ledger":
        """The ledger in the site's state directory; to be read where it cannot be written."""
        from s1ctl.ledger.ledger import look_at_ledger

        ledger = look_at_ledger(self.site.state)
        if ledger.fault:
            text = f"{ledger.fault.message}; it is only read, and nothing can be done before"
            self.output.say(f"warning: {text}: {ledger.fault.hint}", is_vital=True)
        return ledger

    def only_look(self) -> None:
        """Have the ledger read from a copy, and write nothing into the state directory."""
        from s1ctl.ledger.ledger import copied_ledger

        self.is_looking = True
        self.ledger = copied_ledger(self.site.state)

    def require_ledger(self) -> None:
        """Raise what is wrong where the ledger cannot be written: before anything is begun."""
        if self.ledger.fault:
            raise self.ledger.fault

    @cached_property
    def store(self) -> "ReleaseStore":
        """The release store in the site's state directory."""
        from s1ctl.ledger.store import ReleaseStore

        return ReleaseStore(self.site.state / "releases")

    @cached_property
    def trust(self) -> "Trust":
        """What this site trusts. Raises `NotVerified` S1-T10 before `trust init`."""
        from s1ctl.cli.trusted import remembered_trust

        return remembered_trust(self.ledger, self.site.trust)

    @cached_property
    def registry(self) -> "Registry":
        """The site's private registry; nothing is asked of it yet."""
        from s1ctl.oci.proxy import Proxies
        from s1ctl.oci.registry import Registry

        access = self.site.registry
        source = access.password
        password = source.resolve(self.environment, name=REGISTRY) if source else None
        return Registry(
            access.url,
            ca=Path(access.ca) if access.ca else None,
            user=access.user,
            password=password,
            proxies=Proxies.of(self.environment),
        )

    def confirm(self, question: str, *, is_yes: bool) -> bool:
        """Ask, unless `--yes` was given. Raises `UsageError` S1-U81 where nobody can answer.

        Nobody is asked about what the ledger could not record: raises as `require_ledger`.
        """
        self.require_ledger()
        if is_yes:
            return True
        self.require_terminal("`--yes`")
        try:
            return typer.confirm(question, err=True)
        except typer.Abort:  # of Ctrl-C or Ctrl-D: the line of the question is not ended
            self.output.say("", is_vital=True)
            raise KeyboardInterrupt from None

    def require_terminal(self, option: str) -> None:
        """Raise `UsageError` S1-U81 where nobody can be asked; `option` says it without asking."""
        if not sys.stdin.isatty():
            raise UsageError(
                "a question would be asked here, and there is no terminal",
                code="S1-U81",
                hint=f"give {option}",
            )

    def masked(self, text: str) -> str:
        """Mask every secret that is at hand, and what looks like one; no command is run for it."""
        from s1ctl.site.known import mask_of

        site: Site | None = self.__dict__.get("site")
        state = site.state if site else self.default_state
        return mask_of(site, state=state, environment=self.environment)(text)

    def close(self) -> None:
        """End a line of progress that still moves."""
        line = self.__dict__.get("notify")
        if line:
            with suppress(OSError):
                line.close()

    def end(self) -> None:
        """Let go of everything that was opened."""
        self.close()
        ledger = self.__dict__.get("ledger")
        if ledger:
            ledger.close()

    def _user_folder(self, variable: str, usual: str) -> Path:
        given = self.environment.get(variable)
        if given:
            return Path(given)
        try:
            return Path.home() / usual
        except RuntimeError:
            raise UsageError(
                f"neither `HOME` nor `{variable}` is set, and user {os.geteuid()} has no home",
                code="S1-U89",
                hint="name the site file: `s1ctl status --site FILE`",
            ) from None
