"""The checks of the registry against a real one, and against what goes wrong with it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from s1ctl.oci.registry import Registry
from s1ctl.preflight.finding import Finding
from s1ctl.preflight.registry import collectors
from s1ctl.site.secrets import Secret
from tests.support.preflight import findings_of, make_needs, make_site, outcomes
from tests.support.registry import RegistryServer, make_certificates

pytestmark = pytest.mark.integration


def check(
    server: RegistryServer,
    store: Path,
    *,
    host: str | None = None,
    client: dict[str, Any] | None = None,
    ca: Path | None = None,
    **needs: Any,
) -> dict[str, Finding]:
    """Check `server`, which the site file calls `host`; `client` changes how we come to it."""
    scheme = server.url.partition(":")[0]
    access: dict[str, Any] = {"url": f"{scheme}://{host or server.host}/shop"}
    authority = ca or server.ca
    access |= {"ca": str(authority)} if authority else {}
    site = make_site(registry=access)
    asked = collectors(site.registry, lambda: server.connect(**client or {}), store)
    return findings_of(asked, make_needs(site, **needs), "reg")


def outcome(found: dict[str, Finding]) -> tuple[str, str, str]:
    said = outcomes(found)
    return said["reg.api"], said["reg.tls"], said["reg.auth"]


def seen(finding: Finding) -> str:
    assert finding.observed is not None
    return finding.observed.text


def test_a_registry_that_lets_us_in_passes(registry, tmp_path: Path) -> None:
    assert outcome(check(registry, tmp_path)) == ("pass", "pass", "pass")
    assert {request.method for request in registry.requests()} == {"GET"}


def test_an_open_registry_without_tls_passes(plain_registry, tmp_path: Path) -> None:
    assert outcome(check(plain_registry, tmp_path)) == ("pass", "pass", "pass")


def test_a_registry_that_is_down_fails_once_and_the_rest_is_skipped(registry, tmp_path) -> None:
    registry.stop()
    found = check(registry, tmp_path)
    assert outcome(found) == ("fail", "skip", "skip")
    assert "S1-R02" in seen(found["reg.api"])
    assert seen(found["reg.tls"]) == "needs reg.api"


def test_a_registry_that_is_down_does_not_matter_once_all_is_staged(registry, tmp_path) -> None:
    registry.stop()
    assert outcome(check(registry, tmp_path, is_staged=True)) == ("skip", "skip", "skip")


def test_a_host_name_that_is_unknown_fails(registry, tmp_path: Path) -> None:
    client = {"url": "https://registry.invalid"}
    assert "S1-R01" in seen(check(registry, tmp_path, client=client)["reg.api"])


def test_a_certificate_of_another_authority_fails_tls(registry, tmp_path: Path) -> None:
    make_certificates(tmp_path, ("127.0.0.1",))
    found = check(registry, tmp_path, client={"ca": tmp_path / "ca.crt"})
    assert outcome(found) == ("pass", "fail", "skip")
    assert "S1-R03" in seen(found["reg.tls"])


def test_a_certificate_for_another_name_fails_tls(tmp_path: Path, registry) -> None:
    with RegistryServer(tmp_path / "other", tls=True, names=("elsewhere.test",)) as other:
        found = check(other, tmp_path)
    assert outcome(found) == ("pass", "fail", "skip")
    assert "S1-R04" in seen(found["reg.tls"])


def test_tls_with_a_registry_that_speaks_none_fails_tls(plain_registry, tmp_path: Path) -> None:
    client = {"url": plain_registry.url.replace("http:", "https:")}
    assert outcome(check(plain_registry, tmp_path, client=client)) == ("pass", "fail", "skip")


def test_a_wrong_password_fails_auth_and_is_not_shown(registry, tmp_path: Path) -> None:
    word = "canary-b2f7-wrong"
    found = check(registry, tmp_path, client={"password": Secret(word)})
    assert outcome(found) == ("pass", "pass", "fail")
    assert word not in str(found)


def test_no_password_where_one_is_wanted_fails_auth(registry, tmp_path: Path) -> None:
    found = check(registry, tmp_path, client={"user": None, "password": None})
    assert outcome(found) == ("pass", "pass", "fail")


def test_a_web_server_is_no_registry(registry, tmp_path: Path) -> None:
    with web_server() as url:
        found = check(registry, tmp_path, client={"url": url})
    assert outcome(found) == ("fail", "skip", "skip")
    assert "not a registry" in seen(found["reg.api"])


def test_an_engine_that_lacks_the_authority_fails_with_the_command(registry, tmp_path) -> None:
    found = check(registry, tmp_path, host="registry.test:5000")["reg.tls"]
    assert found.outcome == "fail"
    assert "missing" in seen(found)
    assert found.fix is not None
    place = tmp_path / "registry.test:5000" / "ca.crt"
    assert found.fix.command == f"install -D -m 0644 {registry.ca} {place}"


def test_an_engine_with_another_authority_fails(registry, tmp_path: Path) -> None:
    place = tmp_path / "registry.test:5000"
    place.mkdir()
    make_certificates(place, ("registry.test",))
    found = check(registry, tmp_path, host="registry.test:5000")["reg.tls"]
    assert (found.outcome, "other" in seen(found)) == ("fail", True)


def test_an_engine_with_the_same_authority_passes(registry, tmp_path: Path) -> None:
    place = tmp_path / "registry.test:5000"
    place.mkdir()
    (place / "ca.crt").write_bytes(registry.ca.read_bytes() + b"\n")
    assert check(registry, tmp_path, host="registry.test:5000")["reg.tls"].outcome == "pass"


def test_an_authority_that_cannot_be_read_is_unknown_and_not_good(registry, tmp_path) -> None:
    place = tmp_path / "registry.test:5000"
    place.mkdir()
    (place / "ca.crt").write_text("any")
    found = check(registry, tmp_path, host="registry.test:5000", ca=tmp_path / "none.pem")
    assert outcome(found) == ("pass", "error", "skip")


def test_a_client_that_cannot_be_made_is_a_finding(registry, tmp_path: Path) -> None:
    site = make_site(registry={"url": registry.url, "ca": str(tmp_path / "none.pem")})

    def connect() -> Registry:
        return registry.connect(ca=tmp_path / "none.pem")

    found = findings_of(collectors(site.registry, connect, tmp_path), make_needs(site), "reg")
    assert "pass" not in {found["reg.api"].outcome, found["reg.tls"].outcome}


@contextmanager
def web_server() -> Iterator[str]:
    """Serve the same page whatever is asked for."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html>welcome</html>")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(10)
