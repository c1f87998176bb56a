"""Make what an operation acts on, from what the command line runs in."""

import getpass
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from s1ctl.cli.context import Here
from s1ctl.ledger.holder import own_holder
from s1ctl.operation.context import Context
from s1ctl.operation.events import Event, Observe
from s1ctl.operation.interrupt import Interrupts
from s1ctl.site.secrets import SecretStore
from s1ctl.targets.docker import DockerTarget
from s1ctl.targets.docker_engine import connect_engine


@contextmanager
def acting(here: Here, observe: Observe) -> Iterator[Context]:
    """Make the context, with both signals turned into interrupts for the time of the block."""
    context = make_context(here, observe)
    with context.interrupts.installed():
        yield context


def make_context(here: Here, observe: Observe | None = None) -> Context:
    """Make the context; connects to the engine, and asks nothing of the registry."""
    site = here.site
    return Context(
        site=site,
        ledger=here.ledger,
        store=here.store,
        trust=here.trust,
        target=DockerTarget(site=site, client=connect_engine(site.target.socket), state=site.state),
        registry=lambda: here.registry,
        secrets=SecretStore(site.state / "secrets"),
        environment=here.environment,
        holder=own_holder(getpass.getuser()),
        now=lambda: datetime.now(UTC),
        sleep=time.sleep,
        observe=observe or unwatched,
        interrupts=Interrupts(),
    )


def unwatched(_: Event) -> None:
    """Watch nothing."""
