"""The certificates that a registry shows, looked at straight and through a proxy."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from s1ctl.oci.proxy import Proxy, parse_proxy
from s1ctl.preflight.certificates import collectors
from s1ctl.preflight.finding import Finding
from tests.support.connect_proxy import ConnectProxy
from tests.support.preflight import findings_of, make_needs, make_site

pytestmark = pytest.mark.integration


def check(url: str, ca: Path | None, proxy: Proxy | None = None) -> Finding:
    site = make_site(registry={"url": url, **({"ca": str(ca)} if ca else {})})
    asked = collectors(site.registry, lambda: datetime.now(UTC), lambda _: proxy)
    return findings_of(asked, make_needs(site), "cert.expiry")["cert.expiry"]


def seen(finding: Finding) -> str:
    assert finding.observed is not None
    return finding.observed.text


def test_a_certificate_is_looked_at_whoever_has_signed_it(registry) -> None:
    found = check(f"{registry.url}/shop", None)
    assert found.outcome == "warn"
    assert "test registry" in seen(found)


def test_a_registry_that_is_down_leaves_the_authority_to_be_judged(registry) -> None:
    registry.stop()
    found = check(f"{registry.url}/shop", registry.ca)
    assert found.outcome == "warn"
    assert "test authority" in seen(found)
    assert "the registry's own was not seen: Connection refused" in seen(found)
    assert check(f"{registry.url}/shop", None).outcome == "skip"


def test_what_speaks_no_tls_shows_no_certificate(plain_registry) -> None:
    found = check(plain_registry.url.replace("http:", "https:"), None)
    assert found.outcome == "skip"
    assert check(plain_registry.url, None).outcome == "skip"


def test_a_certificate_is_looked_at_through_the_proxy_that_leads_there(registry) -> None:
    with ConnectProxy({"registry.test:5000": registry.host}) as leading:
        proxy = parse_proxy(leading.url, "HTTPS_PROXY")
        found = check("https://registry.test:5000/shop", None, proxy)
        lost = check("https://other.test:5000/shop", None, proxy)
    assert "test registry" in seen(found)
    assert lost.outcome == "skip"
    assert "403" in seen(lost)
    encrypted = parse_proxy("https://127.0.0.1:1", "HTTPS_PROXY")
    assert "not looked at through" in seen(check("https://other.test:5000", None, encrypted))
