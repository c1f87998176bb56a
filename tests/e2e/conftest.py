"""The installed s1ctl as a subprocess, two vendors' bundles, and sites that have version 1.0.0."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from s1ctl.targets.docker_engine import connect_engine
from tests.support.engine import remove_site
from tests.support.foreign import write_ledgerly
from tests.support.registry import PASSWORD, USER, RegistryServer, free_port
from tests.support.require import ENGINE, need
from tests.support.schemas import heard, heard_events
from tests.support.shop import write_shop
from tests.support.subnets import take_subnet

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
        assert heard(words, done.stdout) == ""
        assert heard_events(events_of(words)) == ""
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


def events_of(words: Sequence[object]) -> str:
    """Read the file to which a command line wrote events."""
    line = [str(word) for word in words]
    path = Path(line[line.index("--events") + 1]) if "--events" in line else None
    return path.read_text() if path and path.is_file() else ""


@dataclass(kw_only=True)
class Vendor:
    """What the vendor made: recipes, key, root, bundles."""

    product: str
    key: Path
    root: Path
    fingerprint: str
    recipes: dict[str, Path]
    bundles: dict[str, Path]


@dataclass(kw_only=True)
class Site:
    """A site with a registry, and version 1.0.0 installed."""

    s1ctl: Program
    name: str
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

    @property
    def site_file(self) -> Path:
        return self.folder / "site.yaml"


@pytest.fixture(scope="session")
def s1ctl(tmp_path_factory: pytest.TempPathFactory) -> Program:
    state = tmp_path_factory.mktemp("state")
    return Program(environment={"XDG_STATE_HOME": str(state), "S1CTL_SITE": str(state / "none")})


@pytest.fixture(scope="session")
def vendor(s1ctl: Program, tmp_path_factory: pytest.TempPathFactory) -> Vendor:
    return make_vendor(s1ctl, tmp_path_factory.mktemp("vendor"), "shop", write_shop)


@pytest.fixture(scope="session")
def ledgerly_vendor(s1ctl: Program, tmp_path_factory: pytest.TempPathFactory) -> Vendor:
    return make_vendor(s1ctl, tmp_path_factory.mktemp("ledgerly"), "ledgerly", write_ledgerly)


def make_vendor(
    s1ctl: Program, folder: Path, product: str, write: Callable[[Path], dict[str, Path]]
) -> Vendor:
    """Make a key and a root, and build the bundle of every release."""
    key, root = folder / "vendor.key", folder / "root.json"
    made = s1ctl("key", "new", key, "--root", root, "--product", product, "--no-password")
    (folder / product).mkdir()
    recipes = write(folder / product)
    bundles = {version: folder / f"{product}-{version}.s1b" for version in recipes}
    for version, recipe in recipes.items():
        s1ctl("bundle", "build", recipe, "-o", bundles[version], "--key", key, "--root", root)
    return Vendor(
        product=product,
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
    with install(vendor, registry, site_name, tmp_path, network=take_subnet(site_name)) as site:
        yield site


@pytest.fixture(scope="module")
def ledgerly(ledgerly_vendor: Vendor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield the one site of a story: ledgerly 1.0.0 is installed, every release is loaded."""
    yield from ledgerly_site(ledgerly_vendor, tmp_path_factory.mktemp("site"), "1.0.0")


@pytest.fixture(scope="module")
def newest_ledgerly(
    ledgerly_vendor: Vendor, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Yield a site that began with ledgerly 2.0.0, and has every release loaded."""
    yield from ledgerly_site(ledgerly_vendor, tmp_path_factory.mktemp("site"), "2.0.0")


def ledgerly_site(vendor: Vendor, folder: Path, version: str) -> Iterator[Site]:
    """Make a registry and a site, and remove what it made at the engine in the end."""
    need("docker")
    need("registry")
    name = f"t{uuid.uuid4().hex[:8]}"
    more = ("--value", f"health_port={free_port()}", "--database", "ledger=store")
    registry = RegistryServer(folder / "registry", tls=True, user=USER, password=PASSWORD)
    with registry, closing(connect_engine(str(ENGINE))) as engine:
        try:
            with install(
                vendor, registry, name, folder,
                network=take_subnet(name), more=more, version=version,
            ) as site:  # fmt: skip
                yield site
        finally:
            remove_site(engine, name)


@contextmanager
def install(
    vendor: Vendor,
    registry: RegistryServer,
    name: str,
    folder: Path,
    *,
    network: str,
    more: Sequence[str] = (),
    version: str = "1.0.0",
) -> Iterator[Site]:
    """Make a site, load every bundle, install one of them."""
    need("docker")
    site_file = folder / "site.yaml"
    s1ctl = Program(
        environment={"S1CTL_SITE": str(site_file), "REGISTRY_PASSWORD": registry.password}
    )
    port = free_port()
    s1ctl(
        *("init", "--non-interactive", "--name", name, "--product", vendor.product),
        *("--registry", f"{registry.url}/{vendor.product}", "--registry-ca", registry.ca),
        *("--registry-user", registry.user, "--registry-password", "env:REGISTRY_PASSWORD"),
        *("--network", network, "--state-dir", folder / "state", "--soak", "1"),
        *("--value", f"edge_port={port}", "--allow", "edge=host-network", "--trust-engine"),
        *more,
    )
    patient = site_file.read_text().replace("policy:\n", "policy:\n  ready_timeout_s: 15\n")
    site_file.write_text(patient)
    try:
        s1ctl("trust", "init", "--root", vendor.root, "--fingerprint", vendor.fingerprint)
        s1ctl("load", *vendor.bundles.values())
        s1ctl("install", "--bundle", vendor.bundles[version], "--yes")
        yield Site(s1ctl=s1ctl, name=name, folder=folder, registry=registry, port=port)
    finally:
        shutil.rmtree(CERTIFICATES / registry.host, ignore_errors=True)
