"""A registry that is reached only through a proxy of the environment, and one that is not."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from s1ctl.oci.proxy import Proxies
from s1ctl.oci.registry import Registry
from s1ctl.preflight import registry as checks
from s1ctl.site.config import RegistryAccess
from tests.support.cases import CASES
from tests.support.connect_proxy import ConnectProxy
from tests.support.loads import Cargo, LoadSite, s1ctl
from tests.support.registry import (
    IMPATIENT,
    PASSWORD,
    USER,
    RegistryServer,
    free_port,
)
from tests.support.require import need

pytestmark = pytest.mark.integration
NAME = "registry.acme.test"
SECRET = "canary-8c11-of-the-proxy"
IN = {"user": USER, "password": "env:REGISTRY_PASSWORD"}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s1ctl.oci.registry.Patience", lambda: IMPATIENT)
    monkeypatch.setenv("REGISTRY_PASSWORD", PASSWORD)
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RegistryServer]:
    """A registry by a name that no DNS knows: only a proxy leads there."""
    need("registry")
    names = ("127.0.0.1", NAME)
    folder = tmp_path / "registry"
    with RegistryServer(
        folder, tls=True, user=USER, password=PASSWORD, relative_urls=True, names=names
    ) as registry:
        yield registry


@pytest.fixture
def proxy(server: RegistryServer) -> Iterator[ConnectProxy]:
    with ConnectProxy({f"{NAME}:5000": server.host}) as made:
        yield made


@pytest.fixture
def site(tmp_path: Path, cargo: Cargo, server: RegistryServer) -> LoadSite:
    return LoadSite(tmp_path / "site", cargo, f"https://{NAME}:5000", ca=server.ca, **IN)


def test_a_registry_behind_a_proxy(
    site: LoadSite, server: RegistryServer, proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    said = site.load()
    assert said.outcome == CASES["registry-behind-proxy"].outcome
    assert {(led.method, led.place) for led in proxy.led} == {("CONNECT", f"{NAME}:5000")}
    assert len(proxy.led) <= 5  # connections are kept
    assert site.cargo.blobs.items() <= server.blobs().items()
    assert site.has_loaded()


def test_a_plain_registry_behind_a_proxy(
    site: LoadSite,
    plain_registry: RegistryServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ConnectProxy({f"{NAME}:80": plain_registry.host, NAME: plain_registry.host}) as proxy:
        site.write(f"http://{NAME}")
        monkeypatch.setenv("http_proxy", proxy.url)
        said = site.load()
        assert said.outcome == CASES["registry-plain-behind-proxy"].outcome
        assert {led.place for led in proxy.led} <= {NAME, f"{NAME}:80"}
        assert site.cargo.blobs.items() <= plain_registry.blobs().items()


def test_a_proxy_with_user_and_password(
    site: LoadSite, proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.authorization = "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{SECRET}@{proxy.host}")
    said = site.load("--verbose")
    assert said.status == 0
    assert SECRET not in said.text
    assert PASSWORD not in "".join(str(led.authorization) for led in proxy.led)


def test_no_proxy_goes_straight(
    site: LoadSite, server: RegistryServer, proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8,.acme.test")
    before = site.words(server)
    said = site.load()
    assert said.outcome == CASES["registry-no-proxy"].outcome
    assert f"the name of `{NAME}:5000` does not resolve" in said.message
    CASES["registry-no-proxy"].prove(before, site.words(server))
    assert proxy.led == []


def test_this_host_is_never_asked_by_way_of_a_proxy(
    site: LoadSite, server: RegistryServer, proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("ALL_PROXY", proxy.url)
    site.write(server.url, ca=server.ca, **IN)
    assert site.load().status == 0
    s1ctl("--site", site.file, "status")
    assert proxy.led == []


def test_a_proxy_that_is_not_there(
    site: LoadSite, server: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{SECRET}@127.0.0.1:{port}")
    before = site.words(server)
    said = site.load()
    assert said.outcome == CASES["proxy-down"].outcome
    assert f"the proxy `http://127.0.0.1:{port}` of `HTTPS_PROXY`" in said.message
    assert f"to `{NAME}:5000`, cannot be reached: Connection refused" in said.message
    assert f'`export NO_PROXY="$NO_PROXY,{NAME}"`' in said.hint
    assert SECRET not in said.text
    CASES["proxy-down"].prove(before, site.words(server))


def test_a_proxy_whose_name_nobody_knows(
    site: LoadSite, server: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "proxy.invalid:3128")
    before = site.words(server)
    said = site.load()
    assert said.outcome == CASES["proxy-name-unknown"].outcome
    assert "the proxy `http://proxy.invalid:3128` of `https_proxy`" in said.message
    assert "does not resolve" in said.message
    CASES["proxy-name-unknown"].prove(before, site.words(server))


def test_a_proxy_that_does_not_lead_there(
    site: LoadSite, server: RegistryServer, proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.hosts.clear()
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    before = site.words(server)
    said = site.load()
    assert said.outcome == CASES["proxy-refuses"].outcome
    assert f"does not lead to `{NAME}:5000`: it answers 403 Forbidden" in said.message
    assert f'allow it there, or go straight: `export NO_PROXY="$NO_PROXY,{NAME}"`' in said.hint
    CASES["proxy-refuses"].prove(before, site.words(server))
    assert len(proxy.led) == 1


def test_a_proxy_that_looks_inside_shows_a_certificate_of_its_own(
    site: LoadSite,
    server: RegistryServer,
    proxy: ConnectProxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with RegistryServer(tmp_path / "between", tls=True, names=(NAME,)) as between:
        proxy.hosts[f"{NAME}:5000"] = between.host
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        before = site.words(server)
        said = site.load()
        assert said.outcome == CASES["proxy-looks-inside"].outcome
        assert said.message.endswith(f"; asked through the proxy `{proxy.url}` of `HTTPS_PROXY`")
        CASES["proxy-looks-inside"].prove(before, site.words(server))
        assert between.requests() == []


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_proxy_that_wants_another_password(
    site: LoadSite,
    server: RegistryServer,
    proxy: ConnectProxy,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
) -> None:
    proxy.authorization = "Basic another"
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://me:{SECRET}@{proxy.host}")
    site.write(f"{scheme}://{NAME}:5000", **IN)
    before = site.words(server)
    said = site.load()
    assert said.outcome == CASES["proxy-password"].outcome
    assert "does not let us in (407)" in said.message
    assert f"`{scheme.upper()}_PROXY`" in said.message
    assert "`http://USER:PASSWORD@HOST:PORT`" in said.hint
    assert SECRET not in said.text
    CASES["proxy-password"].prove(before, site.words(server))


def test_a_variable_that_holds_no_proxy(
    site: LoadSite, server: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"socks5://me:{SECRET}@127.0.0.1:1080")
    before = site.words(server)
    said = site.load()
    assert said.outcome == CASES["proxy-is-none"].outcome
    assert "`HTTPS_PROXY` does not hold the address of an HTTP proxy" in said.message
    assert "`socks5`" in said.message
    assert SECRET not in said.text
    CASES["proxy-is-none"].prove(before, site.words(server))


def test_preflight_says_through_which_proxy_the_registry_is_asked(
    server: RegistryServer, proxy: ConnectProxy
) -> None:
    environment = {"HTTPS_PROXY": f"http://me:{SECRET}@{proxy.host}"}

    def connect() -> Registry:
        return server.connect(url=f"https://{NAME}:5000", proxies=Proxies.of(environment))

    access = RegistryAccess(url=f"https://{NAME}:5000")
    fact = checks.collectors(access, connect)["registry.ping"]()
    told = json.dumps(fact.value)
    assert f"lets us in by `basic`, through the proxy `{proxy.url}` of `HTTPS_PROXY`" in told
    assert SECRET not in told
