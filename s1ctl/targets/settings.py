"""What a target is given beside the plan: values, secrets, a release, who holds the site."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from s1ctl.oci.digest import Digest
from s1ctl.release.manifest import ReleaseManifest
from s1ctl.site.secrets import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSettings:
    """The settings of one release at this site: `values` for `${NAME}`, `secrets` for files."""

    values: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)


class Release(Protocol):
    """As much of a verified release as a target needs."""

    @property
    def manifest(self) -> ReleaseManifest:
        """What the release says of itself."""

    def small(self, digest: Digest, /) -> bytes:
        """Read a small blob, checked against its digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAuth:
    """Credentials for one pull."""

    user: str
    password: Secret
