"""Operations walked for real: the planner's plan, the executor's loop, a real engine beside it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from s1ctl.ledger.holder import own_holder
from s1ctl.ledger.ledger import open_ledger
from s1ctl.oci.digest import Digest
from s1ctl.operation.databases import applied_everywhere
from s1ctl.operation.events import Event
from s1ctl.operation.interrupt import Interrupts
from s1ctl.operation.operate import apply_plan
from s1ctl.operation.outcome import Outcome
from s1ctl.plan.plan import Plan, SecretUse, Settings
from s1ctl.plan.planner import plan_change, plan_install, plan_upgrade
from s1ctl.plan.steps import CheckSite
from s1ctl.plan.view import Current, ReleaseView, SiteView
from s1ctl.release.compose import make_jobs, parse_compose
from s1ctl.release.graph import Leg
from s1ctl.shape import changed
from s1ctl.site.secrets import SecretStore
from tests.support.lineages import Lineage
from tests.support.openloop_platform import PlatformRelease, World


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkedRelease(PlatformRelease):
    """A release with what else it has as blobs."""

    blobs: dict[Digest, bytes] = field(default_factory=dict)

    def small(self, digest: Digest, /) -> bytes:
        return self.blobs.get(digest) or self.compose


class Walks:
    """A site at which releases are installed, upgraded and changed, as the command line does it."""

    def __init__(self, world: World, state: Path, *, databases: dict[str, Any]) -> None:
        self.world = world
        self.site = changed(world.site, databases=databases)
        self.ledger = open_ledger(state)
        self.secrets = SecretStore(state / "secrets")
        self.releases: dict[Digest, WalkedRelease] = {}
        self.events: list[Event] = []
        self.observe: Callable[[Event], None] = self.events.append
        self.environment: dict[str, str] = {}
        self.secrets.ensure("token", chars=24)

    def release(self, release: PlatformRelease, lineage: Lineage | None = None) -> WalkedRelease:
        """Take a release in, with its jobs, schemas and blobs."""
        compose = parse_compose(release.compose, name="compose.yaml")
        manifest = changed(
            release.manifest,
            jobs=make_jobs(compose, release.manifest.compose),
            schemas=(lineage.schema,) if lineage else (),
        )
        blobs = lineage.blobs if lineage else {}
        made = WalkedRelease(manifest=manifest, compose=release.compose, blobs=blobs)
        self.releases[made.digest] = made
        return made

    @property
    def context(self) -> Any:
        return SimpleNamespace(
            site=self.site,
            site_file=None,
            ledger=self.ledger,
            store=SimpleNamespace(has=lambda digest: digest in self.releases),
            target=self.world.target,
            secrets=self.secrets,
            environment=self.environment,
            holder=own_holder("operator"),
            now=lambda: datetime.now(UTC),
            clock=time.monotonic,
            sleep=time.sleep,
            tell=self.observe,
            mask=lambda text: text,
            interrupts=Interrupts(),
            release=lambda digest: self.releases[digest],
            admitted=lambda digest: self.releases[digest],
            compose=lambda release: parse_compose(release.compose, name="compose.yaml"),
            pull_credentials=lambda: None,
            work_folder=lambda name: self.site.state / "work" / name,
        )

    def view(self, release: WalkedRelease, *, version: int = 1) -> ReleaseView:
        """See a release with one version of its secret."""
        fingerprint = self.secrets.fingerprint(self.secrets.read("token", version))
        return ReleaseView(
            digest=release.digest,
            manifest=release.manifest,
            compose=parse_compose(release.compose, name="compose.yaml"),
            settings=Settings(
                values={}, secrets={"token": SecretUse(version=version, fingerprint=fingerprint)}
            ),
        )

    def install(self, release: WalkedRelease) -> Outcome:
        return self.walk(plan_install(self.site_view(), self.view(release)))

    def upgrade(self, release: WalkedRelease, **options: Any) -> Outcome:
        view = self.view(release)
        legs = (Leg(to=view.version, why="it may"),)
        return self.walk(plan_upgrade(self.site_view(), (view,), legs), **options)

    def rotate(self, release: WalkedRelease, *, version: int, **options: Any) -> Outcome:
        view = self.view(release, version=version)
        return self.walk(plan_change("rotate", self.site_view(), view), **options)

    def walk(self, plan: Plan, **options: Any) -> Outcome:
        """Apply a plan without the check of the site, which has tests of its own."""
        stage = tuple(step for step in plan.stage if not isinstance(step, CheckSite))
        return apply_plan(self.context, changed(plan, stage=stage), **options)

    def site_view(self) -> SiteView:
        installed = self.ledger.releases.installed()
        current = installed and Current(
            release=installed.digest,
            version=installed.version,
            instances=installed.instances,
            settings=installed.settings,
            point=installed.point,
        )
        newest = self.ledger.points.newest()
        return SiteView(
            name=self.site.name,
            target_id="engine",
            subnet=self.site.target.subnet,
            registry=self.site.registry,
            soak_s=2,
            current=current,
            is_backup_wanted=False,
            addresses={name: (a, b) for name, (a, b) in self.ledger.addresses.all().items()},
            applied=self.applied(),
            next_point=int(newest.id[1:]) + 1 if newest else 1,
        )

    def applied(self) -> dict[str, tuple[str, ...]]:
        installed = self.ledger.releases.installed()
        if installed is None:
            return {}
        return applied_everywhere(self.context, installed.digest, installed.settings)
