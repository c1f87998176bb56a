"""A Compose service as a release may write it: the types of the subset."""

import re
from typing import Annotated, Literal

from msgspec import Meta, field

from s1ctl.release.manifest import Health, Name, Role, When
from s1ctl.shape import Value

Text = Annotated[str, Meta(min_length=1)]
ImageName = Annotated[
    str,
    Meta(pattern=r"^[a-z][a-z0-9_-]{0,62}\Z", description="the name of one of the recipe's images"),
]
Path = Annotated[
    str, Meta(pattern=r"^/[^:]*\Z", description="a whole path such as `/data`, without `:`")
]
Command = str | tuple[str, ...]
Scalar = str | int | float
Duration = Annotated[
    str,
    Meta(
        pattern=r"^([0-9]+(\.[0-9]+)?(us|ms|s|m|h))+\Z",
        description="a time such as `10s` or `1m30s`",
    ),
]
Capability = Annotated[
    str, Meta(pattern=r"^[A-Z_]+\Z", description="a capability such as `NET_BIND_SERVICE`")
]
Signal = Annotated[str, Meta(pattern=r"^SIG[A-Z0-9]+\Z", description="a signal such as `SIGTERM`")]
ServiceRole = Role | Literal["job"]
Seconds = Annotated[int, Meta(ge=0, le=3600)]
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class ConfigUse(Value):
    """A config mounted at `target`, read-only."""

    source: Name
    target: Path


class HealthCheck(Value):
    """The engine's own health check; durations as Compose writes them (`1m30s`)."""

    test: Command | None = None
    interval: Duration | None = None
    timeout: Duration | None = None
    start_period: Duration | None = None
    retries: Annotated[int, Meta(ge=0)] | None = None
    disable: bool = False


class Dependency(Value):
    """What of a service must be true before another starts; s1ctl waits until it is ready."""

    condition: Literal["service_started", "service_healthy"] = "service_started"


class Aliases(Value):
    """A network of a service; it has no options of its own."""


class Ulimit(Value):
    """A soft and a hard limit."""

    soft: int
    hard: int


class Logging(Value):
    """The engine's log driver for one service."""

    driver: Text = "json-file"
    options: dict[str, Scalar] = field(default_factory=dict)


class Limits(Value):
    """What one replica may use: `cpus` as a number, `memory` as `512m`."""

    cpus: Scalar | None = None
    memory: Scalar | None = None
    pids: int | None = None


class Resources(Value):
    """The resources of a replica."""

    limits: Limits = Limits()


class Deploy(Value):
    """How many replicas, and what each may use."""

    replicas: Annotated[int, Meta(ge=1, le=16)] = 1
    resources: Resources = Resources()


class Extension(Value):
    """`x-s1ctl`: the role of the service, how it is replaced, and how its health is told.

    `when` is for a job: a one-shot container that is no unit.
    """

    role: ServiceRole = "app"
    when: When | None = None
    replace: Literal["rolling", "recreate"] | None = None
    health: Health | None = None
    drain_s: Seconds = 10
    upstreams: Path | None = None


class Service(Value):
    """A service of the subset; `${NAME}` stands until `substitute` fills it."""

    image: ImageName
    command: Command | None = None
    entrypoint: Command | None = None
    environment: dict[str, Scalar] = field(default_factory=dict)
    user: str | int | None = None
    working_dir: Path | None = None
    volumes: tuple[Text, ...] = ()
    networks: tuple[Name, ...] | dict[Name, Aliases | None] = ()
    ports: tuple[str | int, ...] = ()
    secrets: tuple[Name, ...] = ()
    configs: tuple[Name | ConfigUse, ...] = ()
    healthcheck: HealthCheck | None = None
    depends_on: tuple[Name, ...] | dict[Name, Dependency | None] = ()
    stop_signal: Signal | None = None
    stop_grace_period: Duration = "10s"
    restart: Literal["no", "unless-stopped", "on-failure"] = "unless-stopped"
    read_only: bool = False
    tmpfs: str | tuple[str, ...] = ()
    cap_drop: tuple[Capability, ...] = ()
    cap_add: tuple[Capability, ...] = ()
    security_opt: tuple[str, ...] = ()
    ulimits: dict[str, int | Ulimit] = field(default_factory=dict)
    shm_size: str | int | None = None
    sysctls: dict[str, Scalar] = field(default_factory=dict)
    init: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    logging: Logging | None = None
    extra_hosts: tuple[str, ...] = ()
    deploy: Deploy = Deploy()
    network_mode: Literal["host"] | None = None
    s1ctl: Extension = field(name="x-s1ctl", default=Extension())

    @property
    def role(self) -> ServiceRole:
        """What the service is to a hop."""
        return self.s1ctl.role

    @property
    def needs(self) -> tuple[str, ...]:
        """The services that must be there first."""
        return tuple(sorted(self.depends_on))

    @property
    def replace(self) -> Literal["rolling", "recreate"]:
        """How it is replaced: an edge rolls only on the host's network, data never."""
        if self.s1ctl.replace:
            return self.s1ctl.replace
        is_rolling = self.role == "app" or (self.role == "edge" and self.network_mode == "host")
        return "rolling" if is_rolling else "recreate"

    @property
    def config_uses(self) -> tuple[ConfigUse, ...]:
        """The configs with their places; one without a place lies in the root folder."""
        return tuple(
            use if isinstance(use, ConfigUse) else ConfigUse(source=use, target=f"/{use}")
            for use in self.configs
        )


def seconds(text: str) -> float:
    """Read a duration as Compose writes it (`1m30s`)."""
    parts = re.findall(r"([0-9.]+)(us|ms|s|m|h)", text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def size_bytes(text: str | float) -> int:
    """Read a size as Compose writes it (`64m`, `1gb`, plain bytes); raises `ValueError`."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)b?", str(text).strip().lower())
    if not found:
        raise ValueError(f"`{text}` is not a size")
    power = " kmgt".index(found[2] or " ")
    return int(float(found[1]) * 1024**power)
