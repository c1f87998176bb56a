"""The site file: what the operator says of this site, read strictly."""

import errno
import ipaddress
import os
import stat
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, field

from s1ctl.errors import UsageError
from s1ctl.files import unreadable
from s1ctl.oci.digest import Digest
from s1ctl.oci.reference import ImageReference
from s1ctl.release.manifest import Name
from s1ctl.shape import Value
from s1ctl.site.hooks import Hooks
from s1ctl.site.secrets import SecretSource
from s1ctl.strict_yaml import MAX_BYTES, Document, parse_yaml

Text = Annotated[str, Meta(min_length=1)]
SiteName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9-]{0,30}\Z",
        description="a name: a-z, 0-9 and `-`, at most 31, beginning with a letter",
    ),
]
Url = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^/@\s]+(/[a-z0-9._/-]*)?\Z",
        description="a URL such as `https://HOST:PORT/PREFIX`, without user or password",
    ),
]
Consent = Literal["host-network", "cap-add"]


class Target(Value):
    """The engine of this host, and the free subnet in which the site's network is made."""

    kind: Literal["docker"]
    network: Text
    socket: Text = "/var/run/docker.sock"

    @property
    def subnet(self) -> ipaddress.IPv4Network:
        """The subnet of the site's network; `read_site` has checked it."""
        return ipaddress.IPv4Network(self.network)


class RegistryAccess(Value):
    """The site's private registry; `url` may end in a path that prefixes every repository."""

    url: Url
    ca: Text | None = None
    user: Text | None = None
    password: SecretSource | None = None

    @property
    def host(self) -> str:
        """`HOST:PORT`, as an image reference begins."""
        return self.url.split("/")[2]

    @property
    def prefix(self) -> str:
        """The path before every repository, without slashes at its ends."""
        return "/".join(self.url.split("/")[3:]).strip("/")

    def repository(self, name: str) -> str:
        """Name a bundle's repository as it is called at this site."""
        return "/".join(part for part in (self.prefix, name) if part)

    def reference(self, repository: str, digest: Digest) -> str:
        """Name an image of a bundle's repository by digest, as an engine pulls it."""
        name = self.repository(repository)
        return str(ImageReference(host=self.host, repository=name, digest=digest))


class DatabaseAccess(Value):
    """Where a database is: a `data` unit of the platform, or a URL kept as a secret."""

    service: Name | None = None
    url: SecretSource | None = None


class BackupPolicy(Value):
    """When databases are dumped, and how."""

    when: Literal["always", "contract"] = "always"
    how: Literal["dump"] = "dump"


class Policy(Value):
    """What this site asks of an operation."""

    soak_s: Annotated[int, Meta(ge=0, le=86400)] = 60
    max_stall_ms: Annotated[int, Meta(ge=10, le=60000)] = 100
    max_wait_s: Annotated[int, Meta(ge=1, le=86400)] = 600
    ready_timeout_s: Annotated[int, Meta(ge=1, le=3600)] = 120
    backup: BackupPolicy = BackupPolicy()
    keep_points: Annotated[int, Meta(ge=1, le=100)] = 3


class TrustPolicy(Value):
    """Which product and channel may be installed here."""

    product: Name
    channel: Name


class Site(Value):
    """A site: everything s1ctl is told about it. Secrets are named here, never held."""

    version: Literal[1]
    name: SiteName
    target: Target
    registry: RegistryAccess
    trust: TrustPolicy
    databases: dict[str, DatabaseAccess] = field(default_factory=dict)
    values: dict[str, str | int | bool] = field(default_factory=dict)
    policy: Policy = Policy()
    state_dir: Text = "/var/lib/s1ctl"
    allow: dict[str, tuple[Consent, ...]] = field(default_factory=dict)
    media: tuple[Text, ...] = ()
    hooks: Hooks = Hooks()

    @property
    def state(self) -> Path:
        """The state directory."""
        return Path(self.state_dir)


def read_site(path: Path) -> Site:
    """Read and check the site file at `path`.

    Raises `UsageError` with line and column; S1-U10 when group or world may write the file, since
    `cmd:` sources run as the operator.
    """
    try:
        raw = _read(path)
    except FileNotFoundError:
        raise UsageError(
            f"there is no site file at `{path}`",
            code="S1-U11",
            hint="run `s1ctl init` to write one, or name one with `--site FILE`",
        ) from None
    except OSError as error:
        raise unreadable(path, error) from None
    document = parse_yaml(raw, name=str(path))
    site = document.parse(Site)
    if not site.state.is_absolute():
        raise document.refuse(
            "$.state_dir",
            f"`state_dir` must be an absolute path, and is `{site.state_dir}`",
            hint="write the whole path, such as /var/lib/s1ctl",
        )
    _check_network(document, site)
    _check_databases(document, site)
    return site


def place_in(site_file: Path | None, at: str) -> str:
    """Say where `at` (`$.values.port`) stands in the site file, `FILE:LINE:COLUMN`."""
    if site_file is None:
        return "the site file"
    try:
        return parse_yaml(_read(site_file), name=str(site_file)).place(at)
    except (OSError, UsageError):
        return str(site_file)  # it was changed since it was read


def _read(path: Path) -> bytes:
    """Read the site file, if nobody else could have written it; of a huge one only its head."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EISDIR, "it is no regular file")
        _check_owner(found, path)
        return file.read(MAX_BYTES + 1)


def _check_owner(found: os.stat_result, path: Path) -> None:
    mode = found.st_mode
    if found.st_uid not in (0, os.geteuid()):
        raise UsageError(
            f"`{path}` belongs to another user (uid {found.st_uid}), who could have commands run",
            code="S1-U10",
            hint=f"read it, then run `chown root {path}`",
        )
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UsageError(
            f"`{path}` may be written by others (mode {mode & 0o777:04o})",
            code="S1-U10",
            hint=f"run `chmod go-w {path}`",
        )


def _check_network(document: Document, site: Site) -> None:
    try:
        subnet = ipaddress.IPv4Network(site.target.network)
    except ValueError as error:
        raise document.refuse("$.target.network", f"`{site.target.network}`: {error}") from None
    if subnet.prefixlen > 27:
        raise document.refuse(
            "$.target.network",
            f"`{subnet}` has {subnet.num_addresses} addresses; 32 are the least",
            hint="give a network of /27 or larger, such as 10.97.0.0/24",
        )


def _check_databases(document: Document, site: Site) -> None:
    for name, access in site.databases.items():
        if (access.service is None) == (access.url is None):
            raise document.refuse(
                f"$.databases.{name}",
                f"database `{name}` needs either `service` or `url`",
                hint=f"write `{name}: {{service: UNIT}}` or `{name}: {{url: file:/path}}`",
            )
