"""All that an operation acts on and with."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from s1ctl.ledger.holder import Holder
from s1ctl.ledger.store import ReleaseStore, open_recorded, open_release
from s1ctl.oci.digest import Digest
from s1ctl.operation.events import Event, Observe
from s1ctl.operation.interrupt import Interrupts
from s1ctl.release.compose import ComposeFile, parse_compose
from s1ctl.release.verified import VerifiedRelease
from s1ctl.site.config import Site, place_in
from s1ctl.site.known import mask_of
from s1ctl.site.secrets import SecretStore
from s1ctl.targets.settings import RegistryAuth
from s1ctl.trust.root import Trust

if TYPE_CHECKING:
    from s1ctl.ledger.ledger import Ledger
    from s1ctl.oci.registry import Registry
    from s1ctl.targets.docker import DockerTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The site, its memory, its target, and the clocks; made once by the command line.

    `now` is the wall clock, for what is written down; `clock` only goes forward, for durations.
    """

    site: Site
    ledger: "Ledger"
    store: ReleaseStore
    trust: Trust
    target: "DockerTarget"
    registry: "Callable[[], Registry]"
    secrets: SecretStore
    environment: Mapping[str, str]
    holder: Holder
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    observe: Observe
    interrupts: Interrupts
    clock: Callable[[], float] = time.monotonic
    site_file: Path | None = None

    def locate(self, at: str) -> str:
        """Say where a path (`$.values.port`) stands in the site file, with line and column."""
        return place_in(self.site_file, at)

    def release(self, digest: Digest) -> VerifiedRelease:
        """Open a release that was loaded here, verified anew, even one that was withdrawn since.

        For what runs, what ran, and an operation that is open; see `open_recorded`.
        """
        return open_recorded(digest, self.store, self.trust)

    def admitted(self, digest: Digest) -> VerifiedRelease:
        """Open a loaded release that a plan may lead to; a withdrawn one is refused."""
        return open_release(digest, self.store, self.trust)

    def compose(self, release: VerifiedRelease) -> ComposeFile:
        """Read the Compose file of a verified release."""
        return parse_compose(release.small(release.manifest.compose), name="compose.yaml")

    def pull_credentials(self) -> RegistryAuth | None:
        """Fetch what the engine needs for one pull."""
        access = self.site.registry
        if access.user is None or access.password is None:
            return None
        return RegistryAuth(
            user=access.user,
            password=access.password.resolve(self.environment, name="registry.password"),
        )

    def work_folder(self, name: str) -> Path:
        """Name a folder below `state/work`; what uses it empties it."""
        return self.site.state / "work" / name

    @property
    def mask(self) -> Callable[[str], str]:
        """What masks every secret that the site has now, and what looks like one."""
        return mask_of(self.site, state=self.site.state, environment=self.environment)

    def tell(self, event: Event) -> None:
        """Hand an event to whoever watches."""
        self.observe(event)
