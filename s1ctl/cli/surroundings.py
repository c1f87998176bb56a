"""Make what an operation acts on, from what the command line runs in."""

import getpass
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NoReturn, cast

from s1ctl.cli.context import Here
from s1ctl.errors import InputOutputFailed, NotVerified, S1Error
from s1ctl.ledger.holder import own_holder
from s1ctl.operation.context import Context
from s1ctl.operation.events import Event, Observe
from s1ctl.operation.interrupt import Interrupts
from s1ctl.site.secrets import SecretStore
from s1ctl.targets.docker import DockerTarget
from s1ctl.targets.docker_engine import Engine, connect_engine
from s1ctl.trust.root import Trust


@contextmanager
def acting(here: Here, observe: Observe) -> Iterator[Context]:
    """Make the context, with both signals turned into interrupts for the time of the block."""
    context = make_context(here, observe)
    with context.interrupts.installed():
        yield context


def make_context(here: Here, observe: Observe | None = None) -> Context:
    """Make the context; connects to the engine, and asks nothing of the registry."""
    return _context(here, connect_engine(here.site.target.socket), observe)


def look(here: Here) -> Context:
    """Make the context for a look at a site that may have no engine that answers, and no root."""
    engine: Engine | _Absent
    trust: Trust | _Absent
    try:
        engine = connect_engine(here.site.target.socket)
    except InputOutputFailed as error:
        engine = _Absent(error)
    try:
        trust = here.trust
    except NotVerified as error:
        trust = _Absent(error)
    return _context(here, cast("Engine", engine), trust=cast("Trust", trust))


class _Absent:
    """Stands for what could not be had: whatever is asked of it fails as that did."""

    def __init__(self, error: S1Error) -> None:
        self._error = error

    def __getattr__(self, name: str) -> NoReturn:
        raise self._error


def _context(
    here: Here, engine: Engine, observe: Observe | None = None, *, trust: Trust | None = None
) -> Context:
    site = here.site
    return Context(
        site=site,
        ledger=here.ledger,
        store=here.store,
        trust=trust or here.trust,
        target=DockerTarget(site=site, client=engine, state=site.state),
        registry=lambda: here.registry,
        secrets=SecretStore(site.state / "secrets", is_read_only=here.is_looking),
        environment=here.environment,
        holder=own_holder(user_name()),
        now=lambda: datetime.now(UTC),
        sleep=time.sleep,
        observe=observe or unwatched,
        interrupts=Interrupts(),
        site_file=here.site_file.absolute(),
    )


def user_name() -> str:
    """Say who runs this; a user whom the host does not know is a number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def unwatched(_: Event) -> None:
    """Watch nothing."""
