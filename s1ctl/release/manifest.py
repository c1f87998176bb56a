"""The release manifest: what a signed release says of itself (the predicate of its statement)."""

from typing import Annotated, Literal, TypeVar

from msgspec import Meta, field
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from s1ctl.oci.digest import Digest
from s1ctl.shape import Value

NAME_FORM = "a name: a-z, 0-9, `_` and `-`, at most 63, beginning with a letter"
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,62}\Z", description=NAME_FORM)]
Port = Annotated[int, Meta(ge=1, le=65535, description="a port from 1 to 65535")]
PortSetting = Annotated[
    str,
    Meta(pattern=r"^(\$\{[a-z][a-z0-9_]*\}|[0-9]{1,5})\Z", description="a setting, `${NAME}`"),
]
Named = TypeVar("Named", "Image", "Unit")
Role = Literal["data", "app", "edge"]
When = Literal["before-roll", "after-roll"]
MediaType = Literal[
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
]
Phase = Literal["expand", "backfill", "enforce", "contract"]
BlobKind = Literal[
    "oci-manifest", "oci-config", "oci-layer", "chart", "compose", "migration", "checks", "sbom",
    "provenance", "signature", "api", "docs", "tool",
]  # fmt: skip


class Blob(Value):
    """A blob of the bundle; `path` where it is a file of a tree (`migrations/console/0001.py`)."""

    digest: Digest
    size: Annotated[int, Meta(ge=0)]
    kind: BlobKind
    path: str | None = None


class Image(Value):
    """An image: `digest` of its manifest or index, pushed to `repository` under `tags`."""

    name: Name
    digest: Digest
    media_type: MediaType = "application/vnd.oci.image.manifest.v1+json"
    platforms: tuple[str, ...]
    repository: str
    tags: tuple[str, ...]
    ref: str | None = None


class Setting(Value):
    """A value that a site may give; `secret` ones are files, generated where `generate` is set."""

    name: Name
    kind: Literal["text", "int", "bool", "port", "secret"]
    default: str | int | bool | None = None
    required: bool = False
    generate: Annotated[int, Meta(ge=8, le=1024)] | None = None
    note: str = ""


class Health(Value):
    """Paths and port at which a unit tells that it is ready, alive, and which version it is.

    `port` may be a setting, `${NAME}`; filled in it is a number, as text or not.
    """

    port: Port | PortSetting
    ready: str
    live: str | None = None
    version: str | None = None


class Unit(Value):
    """What a hop replaces as one: a Compose service (source: the Compose file's digest)."""

    name: Name
    target: Literal["docker"]
    role: Role
    source: Digest
    images: tuple[Name, ...]
    replicas: Annotated[int, Meta(ge=1, le=16)] = 1
    replace: Literal["rolling", "recreate"] = "rolling"
    health: Health | None = None
    drain_s: Annotated[int, Meta(ge=0, le=3600)] = 10
    needs: tuple[Name, ...] = ()
    settings: tuple[Name, ...] = ()


class Job(Value):
    """A one-shot container of the release, run before or after its units are rolled."""

    name: Name
    source: Digest
    image: Name
    when: When
    settings: tuple[Name, ...] = ()


class Revision(Value):
    """One migration of a database's linear lineage; `digest` is that of its file's bytes."""

    id: str
    phase: Phase
    release: Version
    digest: Digest


class Access(Value):
    """How a service's database is reached: names, and the secret setting with the password."""

    dbname: str
    user: str
    password: Name
    port: Annotated[int, Meta(ge=1, le=65535)] = 5432


class Schema(Value):
    """A database and its whole lineage so far, oldest revision first."""

    database: Name
    engine: Literal["postgresql"]
    access: Access
    revisions: tuple[Revision, ...]


class Gate(Value):
    """A check that must have passed at the site before this release may be gone to, and why."""

    check: Annotated[
        str,
        Meta(pattern=r"^[a-z][a-z0-9_.-]{0,62}\Z", description="a check such as `host.memory`"),
    ]
    why: Annotated[str, Meta(min_length=1)]


class Edge(Value):
    """A release of the product known when this one was built, for the graph of paths."""

    version: Version
    sources: SpecifierSet = field(name="from")
    stop: bool = False
    dead_end: bool = False
    gates: tuple[Gate, ...] = ()
    bytes: Annotated[int, Meta(ge=0)] = 0


class UpgradeRules(Value):
    """From which versions this release can be reached in one hop, and the graph known so far.

    A `stop` is never skipped, a `dead_end` never gone through, and `gates` let nobody in whose
    checks have not passed.
    """

    sources: SpecifierSet = field(name="from")
    stop: bool = False
    dead_end: bool = False
    gates: tuple[Gate, ...] = ()
    known: tuple[Edge, ...] = ()


class Requires(Value):
    """What the release asks of its site; `os` names systems by their ID in `/etc/os-release`.

    Where `os` is empty every system will do.
    """

    s1ctl: SpecifierSet = field(default_factory=SpecifierSet)
    engine: SpecifierSet = field(default_factory=lambda: SpecifierSet(">=20.10.10"))
    postgresql: SpecifierSet = field(default_factory=SpecifierSet)
    memory_mib: Annotated[int, Meta(ge=0)] = 0
    disk_mib: Annotated[int, Meta(ge=0)] = 0
    os: dict[str, SpecifierSet] = field(default_factory=dict)


class ReleaseManifest(Value):
    """Everything a release is; its blobs in the order in which they lie in the bundle."""

    schema: Literal[1]
    product: Name
    channel: Name
    version: Version
    sequence: Annotated[int, Meta(ge=1)]
    issued: str
    requires: Requires
    blobs: tuple[Blob, ...]
    images: tuple[Image, ...]
    compose: Digest
    units: tuple[Unit, ...]
    jobs: tuple[Job, ...] = ()
    settings: tuple[Setting, ...]
    schemas: tuple[Schema, ...]
    upgrade: UpgradeRules

    @property
    def title(self) -> str:
        """The release as a person calls it."""
        return f"{self.product} {self.version}"

    def unit(self, name: str) -> Unit:
        """Find a unit; raises `KeyError`."""
        return _find(self.units, name)

    def image(self, name: str) -> Image:
        """Find an image; raises `KeyError`."""
        return _find(self.images, name)


def _find(items: tuple[Named, ...], name: str) -> Named:
    for item in items:
        if item.name == name:
            return item
    raise KeyError(name)
