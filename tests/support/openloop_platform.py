"""A small platform, an app behind an edge, in several versions; and plans for it by hand."""

import uuid
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from s1ctl.oci.digest import Digest
from s1ctl.plan.steps import Instance, Placement, Roll
from s1ctl.release.compose import make_units, parse_compose
from s1ctl.release.manifest import Image as ReleaseImage
from s1ctl.release.manifest import ReleaseManifest, Requires, UpgradeRules
from s1ctl.site.config import Policy, RegistryAccess, Site, Target, TrustPolicy
from s1ctl.site.secrets import Secret
from s1ctl.targets.docker import DockerTarget
from s1ctl.targets.docker_engine import Engine
from s1ctl.targets.health import ask
from s1ctl.targets.probe import OpenLoop, probe_url
from s1ctl.targets.settings import UnitSettings
from tests.support.images import Image, base_layer, make_image, make_layer, push_image
from tests.support.registry import RegistryServer, free_port
from tests.support.subnets import take_subnet

SETTINGS = UnitSettings(secrets={"token": Secret("canary")})
APP = (Path(__file__).parent / "platform" / "app.py").read_bytes()
REPOSITORY = "platform/all"
COMPOSE = """\
services:
  web:
    image: all
    command: [python3, /app.py]
    environment: {{VERSION: "{app}", WHAT: "{what}"}}
    secrets: [token]
    deploy: {{replicas: {replicas}}}
    stop_grace_period: 10s
    x-s1ctl:
      health: {{port: 8080, ready: /ready, live: /live, version: /version}}
      drain_s: 10
  gateway:
    image: all
    command: [nginx, -c, /etc/edge.conf, -g, "daemon off;"]
    configs: [{{source: edge, target: /etc/edge.conf}}]
    network_mode: host
    stop_grace_period: 20s
    depends_on: [web]
    x-s1ctl:
      role: edge
      health: {{port: {port}, ready: /edge/ready, version: /edge/version}}
      upstreams: /etc/upstreams
secrets: {{token: {{file: ./token}}}}
configs:
  edge:
    content: |
      worker_processes 2;
      pid /tmp/edge.pid;
      error_log /dev/stderr;
      events {{ worker_connections 512; }}
      http {{
        access_log off;
        include /etc/upstreams/*.conf;
        server {{
          listen {port} reuseport;
          location = /edge/ready {{ return 200 "ready"; }}
          location = /edge/version {{ return 200 "{edge}"; }}
          location / {{ {broken_edge} proxy_pass http://web; proxy_next_upstream off; }}
        }}
      }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformRelease:
    """As much of a verified release as a target asks for."""

    manifest: ReleaseManifest
    compose: bytes = field(repr=False)

    def small(self, digest: Digest, /) -> bytes:
        assert digest == self.manifest.compose
        return self.compose

    @property
    def digest(self) -> Digest:
        return Digest.of(self.compose)


def push_platform(url: str) -> Image:
    """Push the one image of the platform: nginx, and the app."""
    image = make_image([base_layer(), make_layer({"/app.py": APP})], command=["python3", "/app.py"])
    push_image(url, REPOSITORY, image)
    return image


def make_release(
    image: Image,
    *,
    port: int,
    app: str,
    edge: str | None = None,
    what: str = "good",
    replicas: int = 1,
    broken_edge: str = "",
) -> PlatformRelease:
    """Make a release whose app is version `app`, and whose edge is version `edge`."""
    text = COMPOSE.format(
        app=app, edge=edge or app, what=what, port=port, replicas=replicas, broken_edge=broken_edge
    )
    return release_of(image, text, version=app)


def release_of(image: Image, compose: str, *, version: str) -> PlatformRelease:
    """Make a release from the text of its Compose file; every service runs the one image."""
    raw = compose.encode()
    manifest = ReleaseManifest(
        schema=1,
        product="platform",
        channel="stable",
        version=Version(version),
        sequence=1,
        issued="2026-01-01T00:00:00Z",
        requires=Requires(),
        blobs=(),
        images=(
            ReleaseImage(
                name="all",
                digest=Digest(image.digest),
                platforms=("linux/amd64",),
                repository=REPOSITORY,
                tags=("latest",),
            ),
        ),
        compose=Digest.of(raw),
        units=make_units(parse_compose(raw, name="compose.yaml"), Digest.of(raw)),
        settings=(),
        schemas=(),
        upgrade=UpgradeRules(sources=SpecifierSet()),
    )
    return PlatformRelease(manifest=manifest, compose=raw)


def make_site(name: str, *, subnet: str, registry_url: str, socket: str, state: Path) -> Site:
    return Site(
        version=1,
        name=name,
        target=Target(kind="docker", network=subnet, socket=socket),
        registry=RegistryAccess(url=registry_url),
        trust=TrustPolicy(product="platform", channel="stable"),
        state_dir=str(state),
        allow={"gateway": ("host-network",)},
    )


def with_ready_timeout(site: Site, seconds: int) -> Site:
    return replace(site, policy=Policy(ready_timeout_s=seconds))


def place(
    site: Site, unit: str, release: PlatformRelease, version: str, slot: str, *, replicas: int = 1
) -> Instance:
    """Place a unit as the planner would: two addresses a replica, used in turn."""
    is_on_host = parse_compose(release.compose, name="c").services[unit].network_mode == "host"
    first = 2 + 16 * sorted(each.name for each in release.manifest.units).index(unit)
    return Instance(
        unit=unit,
        release=release.digest,
        version=version,
        fingerprint=release.digest.hex,
        placements=tuple(
            Placement(
                replica=number,
                container=f"{site.name}-{unit}-{version}-{number}{slot}",
                address=None
                if is_on_host
                else str(site.target.subnet[first + 2 * (number - 1) + "ab".index(slot)]),
            )
            for number in range(1, replicas + 1)
        ),
    )


def roll_of(to: Instance, former: Instance | None) -> Roll:
    role = "edge" if to.unit == "gateway" else "app"
    return Roll(role=role, replace="rolling", to=to, former=former)


def recreate_of(to: Instance, former: Instance | None) -> Roll:
    return Roll(role="data", replace="recreate", to=to, former=former)


def push_small(registry: RegistryServer) -> Image:
    """Push an image of one file that no other test has, to a registry that may ask for a user."""
    image = make_image([make_layer({"/file": uuid.uuid4().bytes})])
    push_image(registry.url, "small", image, user=registry.user, password=registry.password)
    return image


class World:
    """A site with the platform's image pulled, ready for an installation."""

    def __init__(
        self,
        engine: Engine,
        name: str,
        registry: RegistryServer,
        state: Path,
    ) -> None:
        subnet = take_subnet(name)
        self.image = push_platform(registry.url)
        self.reference = f"{registry.host}/{REPOSITORY}@{self.image.digest}"
        self.port = free_port()
        self.engine = engine
        self.site = make_site(
            name, subnet=subnet, registry_url=registry.url, socket=engine.socket, state=state
        )
        self.target = DockerTarget(site=self.site, client=engine, state=state)
        self.target.pull(self.reference, None)

    def release(self, app: str, **options: object) -> PlatformRelease:
        return make_release(self.image, port=self.port, app=app, **options)

    def place(self, unit: str, release: PlatformRelease, version: str, slot: str) -> Instance:
        replicas = release.manifest.unit(unit).replicas
        return place(self.site, unit, release, version, slot, replicas=replicas)

    def install(self, release: PlatformRelease, version: str) -> tuple[Instance, Instance]:
        self.target.prepare(release, SETTINGS, ())
        web = self.place("web", release, version, "a")
        gateway = self.place("gateway", release, version, "a")
        for instance in (web, gateway):
            self.target.roll(roll_of(instance, None), release, SETTINGS)
        return web, gateway

    def load(self) -> OpenLoop:
        return probe_url(f"http://127.0.0.1:{self.port}/", rate_per_s=50)

    def ask(self, path: str) -> str:
        return ask("127.0.0.1", self.port, path).text

    def states(self) -> dict[str, str]:
        return {each.container: each.state for each in self.target.running()}
