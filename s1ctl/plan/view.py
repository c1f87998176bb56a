"""What the planner is told: releases, and the site as it stands."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from packaging.version import Version

from s1ctl.canonical import canonical_json
from s1ctl.oci.digest import Digest
from s1ctl.plan.addresses import Pair
from s1ctl.plan.plan import Settings
from s1ctl.plan.steps import Instance
from s1ctl.release.compose import ComposeFile, fill, substitute
from s1ctl.release.manifest import Image, ReleaseManifest, Unit
from s1ctl.release.service import Service
from s1ctl.shape import plain
from s1ctl.site.config import RegistryAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseView:
    """A verified release with its Compose file, and its settings at this site."""

    digest: Digest
    manifest: ReleaseManifest
    compose: ComposeFile
    settings: Settings

    @property
    def version(self) -> Version:
        """The release's version."""
        return self.manifest.version

    def service(self, unit: Unit) -> Service:
        """Fill this site's settings into the unit's Compose service."""
        return substitute(self.compose.services[unit.name], self.settings.values)

    def fingerprint(self, unit: Unit) -> str:
        """Make the hash of all that makes the unit what it is: image, configuration, secrets.

        Secrets of a data unit count by name only: a database that exists never reads them again.
        """
        service = self.service(unit)
        used = () if unit.role == "data" else service.secrets
        parts = {
            "service": plain(service),
            "images": [self.manifest.image(name).digest for name in unit.images],
            "secrets": {name: plain(self.settings.secrets[name]) for name in used},
            "configs": {
                use.source: fill(self.compose.configs[use.source], self.settings.values)
                for use in service.config_uses
            },
        }
        return Digest.of(canonical_json(parts)).hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The release that is installed, where its units are, and the point it can go back to."""

    release: Digest
    version: Version
    instances: tuple[Instance, ...]
    settings: Settings
    point: str | None

    def instance(self, unit: str) -> Instance | None:
        """Find where a unit runs."""
        return next((i for i in self.instances if i.unit == unit), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteView:
    """The site as the planner sees it; `applied` holds the revisions of each database.

    `services` names the data unit of each database that is one of the platform's own; `kept` are
    databases that hold what a former installation wrote, where nothing is installed; `down` are
    units of which something does not run.
    """

    name: str
    target_id: str
    subnet: ipaddress.IPv4Network
    registry: RegistryAccess
    soak_s: int
    current: Current | None
    is_backup_wanted: bool = True
    addresses: Mapping[str, Pair] = field(default_factory=dict)
    applied: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    services: Mapping[str, str] = field(default_factory=dict)
    down: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    next_point: int = 1
    next_backup: int = 1

    def reference(self, image: Image) -> str:
        """Name the image by digest in this site's registry."""
        return self.registry.reference(image.repository, image.digest)
