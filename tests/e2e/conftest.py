"""The installed s1ctl as a subprocess, a vendor's bundles, and a site that has version 1.0.0."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.registry import RegistryServer, free_port
from tests.support.require import need
from tests.support.shop import write_shop

PROGRAM = os.environ.get("S1CTL_INSTALLED") or str(Path(sys.executable).with_name("s1ctl"))
CERTIFICATES = Path("/etc/docker/certs.d")
TIMEOUT_S = 240


@dataclass(kw_only=True)
class Program:
    """The installed s1ctl, run as a person would."""

    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: object, expected: int = 0) -> str:
        """Run a command line, and answer its stdout."""
        command = [PROGRAM, *map(str, words)]
        done = subprocess.run(
            command,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        said = f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        assert done.returncode == expected, said
        return done.stdout

    def data(self, *words: object, expected: int = 0) -> dict:
        """Run a command line with JSON for its result."""
        return json.loads(self(*words, "--output", "json", expected=expected))

    def start(self, *words: object) -> "subprocess.Popen[str]":
        """Begin a command line."""
        return subprocess.Popen(
            [PROGRAM, *map(str, words)],
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@dataclass(kw_only=True)
class Vendor:
    """What the vendor made: recipes, key, root, bundles."""

    key: Path
    root: Path
    fingerprint: str
    recipes: dict[str, Path]
    bundles: dict[str, Path]


@dataclass(kw_only=True)
class Site:
    """A site with a registry, and version 1.0.0 of `shop` installed."""

    s1ctl: Program
    folder: Path
    registry: RegistryServer
    port: int

    def version(self) -> str:
        """Ask the platform, through its edge, for its version."""
        return self.ask("/version")

    def ask(self, path: str) -> str:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
            return answer.read().decode()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


@pytest.fixture(scope="session")
def s1ctl(tmp_path_factory: pytest.TempPathFactory) -> Program:
    state = tmp_path_factory.mktemp("state")
    return Program(environment={"XDG_STATE_HOME": str(state), "S1CTL_SITE": str(state / "none")})


@pytest.fixture(scope="session")
def vendor(s1ctl: Program, tmp_path_factory: pytest.TempPathFactory) -> Vendor:
    folder = tmp_path_factory.mktemp("vendor")
    key, root = folder / "vendor.key", folder / "root.json"
    made = s1ctl("key", "new", key, "--root", root, "--product", "shop", "--no-password")
    recipes = write_shop(folder / "shop")
    bundles = {version: folder / f"shop-{version}.s1b" for version in recipes}
    for version, recipe in recipes.items():
        s1ctl("bundle", "build", recipe, "-o", bundles[version], "--key", key, "--root", root)
    return Vendor(
        key=key,
        root=root,
        fingerprint=re.search(r"^root ([0-9a-f]{64})$", made, re.MULTILINE)[1],
        recipes=recipes,
        bundles=bundles,
    )


@pytest.fixture
def site(
    vendor: Vendor, registry: RegistryServer, site_name: str, tmp_path: Path
) -> Iterator[Site]:
    """Yield a site with 1.0.0 installed and every other release loaded."""
    need("docker")
    site_file = tmp_path / "site.yaml"
    s1ctl = Program(
        environment={"S1CTL_SITE": str(site_file), "REGISTRY_PASSWORD": registry.password}
    )
    port = free_port()
    s1ctl(
        *("init", "--non-interactive", "--name", site_name, "--product", "shop"),
        *("--registry", f"{registry.url}/shop", "--registry-ca", registry.ca),
        *("--registry-user", registry.user, "--registry-password", "env:REGISTRY_PASSWORD"),
        *("--network", "10.213.9.0/24", "--state-dir", tmp_path / "state", "--soak", "1"),
        *("--value", f"edge_port={port}", "--allow", "edge=host-network", "--trust-engine"),
    )
    patient = site_file.read_text().replace("policy:\n", "policy:\n  ready_timeout_s: 15\n")
    site_file.write_text(patient)
    try:
        s1ctl("trust", "init", "--root", vendor.root, "--fingerprint", vendor.fingerprint)
        s1ctl("load", *vendor.bundles.values())
        s1ctl("install", "--bundle", vendor.bundles["1.0.0"], "--yes")
        yield Site(s1ctl=s1ctl, folder=tmp_path, registry=registry, port=port)
    finally:
        shutil.rmtree(CERTIFICATES / registry.host, ignore_errors=True)
