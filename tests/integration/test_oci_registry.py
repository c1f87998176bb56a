"""The client against a real registry: TLS, passwords, uploads, mounts, and its absence."""

import json
import socket
from pathlib import Path

import pytest

from s1ctl.errors import ContentsRefused, InputOutputFailed
from s1ctl.oci.digest import Digest
from s1ctl.oci.manifest import OCI_MANIFEST
from s1ctl.site.secrets import Secret
from tests.support.registry import PASSWORD, RegistryServer, make_certificates
from tests.support.require import need

pytestmark = pytest.mark.integration

RAW = b"layer" * 100_000
DIGEST = Digest.of(RAW)
CONFIG = b"{}"


def manifest() -> bytes:
    config = {
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "digest": Digest.of(CONFIG),
        "size": len(CONFIG),
    }
    layer = {
        "mediaType": "application/vnd.oci.image.layer.v1.tar",
        "digest": DIGEST,
        "size": len(RAW),
    }
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer]}
    return json.dumps(document).encode()


def code_of(server: RegistryServer, **changes: object) -> str:
    with pytest.raises(InputOutputFailed) as failed:
        server.connect(**changes).ping()
    assert PASSWORD not in failed.value.message + failed.value.hint
    return failed.value.code


def test_blobs_and_manifests_go_in_and_come_out(registry: RegistryServer) -> None:
    client = registry.connect()
    assert client.ping() == "basic"
    assert not client.has_blob("acme/app", DIGEST)
    client.upload_blob("acme/app", DIGEST, len(RAW), [RAW[:7], RAW[7:]])
    client.upload_blob("acme/app", Digest.of(CONFIG), len(CONFIG), [CONFIG])
    assert client.has_blob("acme/app", DIGEST)
    assert client.read_blob("acme/app", DIGEST) == RAW
    assert client.has_manifest("acme/app", "1.0.0") is None
    put = client.put_manifest("acme/app", "1.0.0", manifest(), OCI_MANIFEST)
    assert put == client.has_manifest("acme/app", "1.0.0") == Digest.of(manifest())
    assert client.read_manifest("acme/app", put) == (manifest(), OCI_MANIFEST)


def test_an_empty_blob_is_stored(plain_registry: RegistryServer) -> None:
    client = plain_registry.connect()
    client.upload_blob("a", Digest.of(b""), 0, [])
    assert client.has_blob("a", Digest.of(b""))


def test_a_blob_is_mounted_from_where_it_is(plain_registry: RegistryServer) -> None:
    client = plain_registry.connect()
    client.upload_blob("a/b", DIGEST, len(RAW), [RAW])
    assert client.mount_blob("c/d", DIGEST, "a/b")
    assert client.has_blob("c/d", DIGEST)
    assert plain_registry.blobs() == {DIGEST: len(RAW)}


def test_a_mount_of_what_is_nowhere_leaves_no_upload_open(plain_registry: RegistryServer) -> None:
    assert not plain_registry.connect().mount_blob("c/d", DIGEST, "a/b")
    assert plain_registry.uploads() == []


def test_a_registry_that_gives_relative_addresses_takes_uploads(tmp_path: Path) -> None:
    need("registry")
    with RegistryServer(tmp_path / "relative", relative_urls=True) as server:
        server.connect().upload_blob("a/b", DIGEST, len(RAW), [RAW])
        assert server.connect().has_blob("a/b", DIGEST)


def test_other_bytes_under_a_digest_are_not_taken(plain_registry: RegistryServer) -> None:
    with pytest.raises(InputOutputFailed) as failed:
        plain_registry.connect().upload_blob("a/b", DIGEST, 5, [b"other"])
    assert failed.value.code == "S1-R12"
    assert plain_registry.blobs() == {}


def test_a_stream_that_fails_leaves_no_blob(plain_registry: RegistryServer) -> None:
    client = plain_registry.connect()
    with pytest.raises(ContentsRefused):
        client.upload_blob("a/b", DIGEST, len(RAW), [RAW[:70_000], RAW[70_000:-1]])
    assert not client.has_blob("a/b", DIGEST)
    assert plain_registry.blobs() == {}


def test_a_manifest_before_its_blobs_is_refused(plain_registry: RegistryServer) -> None:
    with pytest.raises(InputOutputFailed) as failed:
        plain_registry.connect().put_manifest("a/b", "1", manifest(), OCI_MANIFEST)
    assert failed.value.code == "S1-R12"
    assert "MANIFEST_BLOB_UNKNOWN" in failed.value.message


def test_what_is_not_there_is_told_as_such(plain_registry: RegistryServer) -> None:
    client = plain_registry.connect()
    for act in (
        lambda: client.read_manifest("a/b", "1"),
        lambda: client.read_blob("a/b", DIGEST),
    ):
        with pytest.raises(InputOutputFailed) as failed:
            act()
        assert failed.value.code == "S1-R21"


def test_a_wrong_password_is_told_as_such(registry: RegistryServer) -> None:
    assert code_of(registry, password=Secret("wrong")) == "S1-R06"
    assert code_of(registry, user=None, password=None) == "S1-R06"
    with pytest.raises(InputOutputFailed) as failed:
        registry.connect(password=Secret("wrong")).upload_blob("a/b", DIGEST, len(RAW), [RAW])
    assert failed.value.code == "S1-R06"


def test_an_authority_that_is_not_known_is_told_with_the_remedy(
    registry: RegistryServer, tmp_path: Path
) -> None:
    make_certificates(tmp_path, ("127.0.0.1",))
    assert code_of(registry, ca=tmp_path / "ca.crt") == "S1-R03"
    with pytest.raises(InputOutputFailed) as failed:
        registry.connect(ca=None).ping()
    assert failed.value.code == "S1-R03"
    assert "`registry.ca`" in failed.value.hint


def test_a_file_of_authorities_that_is_none_is_told_as_such(
    registry: RegistryServer, tmp_path: Path
) -> None:
    (tmp_path / "empty").write_text("")
    for path in (tmp_path / "empty", tmp_path / "missing", registry.folder / "server.key"):
        assert code_of(registry, ca=path) == "S1-R18"


def test_a_certificate_for_another_name_is_told_as_such(tmp_path: Path) -> None:
    need("registry")
    with RegistryServer(tmp_path / "named", tls=True, names=("localhost",)) as server:
        assert code_of(server) == "S1-R04"
        assert server.connect(url=f"https://localhost:{server.port}").ping() == "none"


def test_the_wrong_scheme_is_told_as_such(
    registry: RegistryServer, plain_registry: RegistryServer
) -> None:
    assert code_of(registry, url=registry.url.replace("https", "http")) == "S1-R09"
    assert code_of(plain_registry, url=plain_registry.url.replace("http", "https")) == "S1-R08"


def test_a_registry_that_is_down_is_told_as_such(plain_registry: RegistryServer) -> None:
    plain_registry.stop()
    assert code_of(plain_registry) == "S1-R02"


def test_a_name_that_does_not_resolve_is_told_as_such(
    plain_registry: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_name(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    assert code_of(plain_registry, url="https://registry.invalid") == "S1-R01"


def test_a_path_in_the_address_prefixes_repositories_not_requests(
    plain_registry: RegistryServer,
) -> None:
    assert plain_registry.connect(url=plain_registry.url + "/site/a").ping() == "none"
