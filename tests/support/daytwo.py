"""A platform of three releases that share an image, and a site of it.

Its store is replaced by the second release, and not by the third.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.images import base_layer, make_image, make_layer, write_layout

APP = (Path(__file__).parent / "platform" / "app.py").read_bytes()
VERSIONS = ("1.0.0", "1.1.0", "1.2.0")
RECIPE = """\
format: 1
product: depot
channel: stable
version: "{version}"
sequence: {sequence}
images:
  web: {{oci-layout: ../images, name: "web:{version}", repository: web}}
  store: {{oci-layout: ../images, name: "store:1", repository: store}}
compose: compose.yaml
settings:
  - {{name: token, kind: secret, generate: 24}}
upgrade: {{from: "{sources}"}}
"""
COMPOSE = """\
services:
  store:
    image: store
    command: [python3, /app.py]
    environment: {{VERSION: "{store}"}}
    volumes: ["data:/data"]
    secrets: [token]
    stop_grace_period: 2s
    x-s1ctl: {{role: data, health: {{port: 8080, ready: /ready}}}}
  web:
    image: web
    command: [python3, /app.py]
    environment: {{VERSION: "{version}"}}
    secrets: [token]
    stop_grace_period: 2s
    depends_on: [store]
    x-s1ctl:
      role: app
      health: {{port: 8080, ready: /ready, version: /version}}
      drain_s: 1
volumes: {{data: }}
secrets: {{token: {{file: ./token}}}}
"""
SITE = """\
version: 1
name: {name}
target: {{kind: docker, network: {network}}}
registry: {{url: "{url}/depot"}}
trust: {{product: depot, channel: stable}}
policy: {{soak_s: 0, ready_timeout_s: 30}}
state_dir: {state}
"""
Run = Callable[..., tuple[int, str, str]]


@dataclass(frozen=True, kw_only=True)
class Depot:
    """The vendor's bundles by version, and what a site is told to trust."""

    bundles: dict[str, Path]
    root: Path
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class DepotSite:
    """A site with a site file; `run` takes command lines."""

    name: str
    file: Path
    state: Path
    run: Run

    def __call__(self, *words: object, expected: int = 0) -> str:
        status, out, err = self.run("--site", self.file, *words)
        assert status == expected, f"{words} ended with {status}:\n{out}{err}"
        return out

    def data(self, *words: object, expected: int = 0) -> Any:
        """Run a command line with JSON for its result."""
        return json.loads(self(*words, "--output", "json", expected=expected))


def write_depot(folder: Path, run: Run) -> Depot:
    """Build every bundle."""
    base, app = base_layer(), make_layer({"/app.py": APP})
    images = {"store:1": make_image([base, app])}
    for version in VERSIONS:
        own = make_layer({"/version": version.encode()})
        images[f"web:{version}"] = make_image([base, app, own])
    write_layout(folder / "images", images)
    key, root = folder / "vendor.key", folder / "root.json"
    made = _done(run("key", "new", key, "--root", root, "--product", "depot", "--no-password"))
    fingerprint = next(line[5:] for line in made.splitlines() if line.startswith("root "))
    bundles = {}
    for sequence, version in enumerate(VERSIONS, start=1):
        home = folder / version
        home.mkdir()
        sources = f"<{version}" if sequence > 1 else ""
        store = "1" if sequence == 1 else "2"
        (home / "compose.yaml").write_text(COMPOSE.format(version=version, store=store))
        (home / "recipe.yaml").write_text(
            RECIPE.format(version=version, sequence=sequence, sources=sources)
        )
        bundles[version] = folder / f"depot-{version}.s1b"
        words = ("-o", bundles[version], "--key", key, "--root", root)
        _done(run("bundle", "build", home / "recipe.yaml", *words))
    return Depot(bundles=bundles, root=root, fingerprint=fingerprint)


def make_depot_site(
    folder: Path, *, name: str, url: str, network: str, run: Run, depot: Depot
) -> DepotSite:
    """Write the site file, and trust the vendor."""
    file, state = folder / "site.yaml", folder / "state"
    file.write_text(SITE.format(name=name, network=network, url=url, state=state))
    site = DepotSite(name=name, file=file, state=state, run=run)
    site("trust", "init", "--root", depot.root, "--fingerprint", depot.fingerprint)
    return site


def _done(ended: tuple[int, str, str]) -> str:
    status, out, err = ended
    assert status == 0, f"{status}: {out}{err}"
    return out
