"""Releases as the planner sees them, from a few words."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from s1ctl.oci.digest import Digest
from s1ctl.plan.plan import SecretUse, Settings
from s1ctl.plan.view import Current, ReleaseView, SiteView
from s1ctl.release.compose import make_jobs, make_units, parse_compose
from s1ctl.release.manifest import (
    Access,
    Image,
    ReleaseManifest,
    Requires,
    Revision,
    Schema,
    Setting,
    UpgradeRules,
)
from s1ctl.site.config import RegistryAccess

COMPOSE = b"""
services:
  db:
    image: db
    volumes: ["data:/data"]
    secrets: [password]
    x-s1ctl: {role: data}
  api:
    image: api
    environment: {MODE: "${mode}"}
    secrets: [password]
    depends_on: [db]
    x-s1ctl: {health: {port: 8080, ready: /ready, version: /version}}
  web:
    image: web
    network_mode: host
    depends_on: [api]
    x-s1ctl: {role: edge, upstreams: /etc/edge/upstreams, health: {port: 80, ready: /ready}}
volumes: {data: {}}
secrets: {password: {file: ./password}}
"""
SETTINGS = Settings(
    values={"mode": "fast"}, secrets={"password": SecretUse(version=1, fingerprint="f" * 64)}
)


def digest_of(text: str) -> Digest:
    """Make a digest from a word."""
    return Digest.of(text.encode())


def make_view(
    version: str,
    *,
    sources: str = "",
    images: Mapping[str, str] | None = None,
    revisions: tuple[tuple[str, str, str], ...] = (),
    compose: bytes = COMPOSE,
    settings: Settings = SETTINGS,
    is_stop: bool = False,
) -> ReleaseView:
    """Make a release; `images` says the content of each (its version by default)."""
    parsed = parse_compose(compose, name="compose.yaml")
    source = Digest.of(compose)
    wanted = {service.image for service in parsed.services.values()}
    contents = dict.fromkeys(wanted, version) | {"db": "same"} | dict(images or {})
    manifest = ReleaseManifest(
        schema=1,
        product="shop",
        channel="stable",
        version=Version(version),
        sequence=1,
        issued="2026-01-01T00:00:00Z",
        requires=Requires(),
        blobs=(),
        images=tuple(
            Image(
                name=name,
                digest=digest_of(f"{name} {contents[name]}"),
                platforms=("linux/amd64",),
                repository=name,
                tags=(version,),
            )
            for name in sorted(wanted)
        ),
        compose=source,
        units=make_units(parsed, source),
        jobs=make_jobs(parsed, source),
        settings=(Setting(name="mode", kind="text"), Setting(name="password", kind="secret")),
        schemas=(_schema(revisions),) if revisions else (),
        upgrade=UpgradeRules(sources=SpecifierSet(sources), stop=is_stop),
    )
    return ReleaseView(
        digest=digest_of(f"release {version}"), manifest=manifest, compose=parsed, settings=settings
    )


def _schema(revisions: tuple[tuple[str, str, str], ...]) -> Schema:
    rows: list[Any] = [
        Revision(id=name, phase=phase, release=Version(release), digest=digest_of(name))  # type: ignore[arg-type]
        for name, phase, release in revisions
    ]
    return Schema(
        database="main",
        engine="postgresql",
        access=Access(dbname="main", user="main", password="password"),
        revisions=tuple(rows),
    )


def make_site(current: Current | None = None, **changes: Any) -> SiteView:
    """Make a site; nothing is installed by default."""
    return SiteView(
        **{
            "name": "acme",
            "target_id": "engine-1",
            "subnet": ipaddress.IPv4Network("10.97.0.0/24"),
            "registry": RegistryAccess(url="https://registry:5000/shop"),
            "soak_s": 5,
            "current": current,
            **changes,
        }
    )
