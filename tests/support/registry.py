"""A real registry (CNCF Distribution, Debian's docker-registry) on loopback, and its fixtures."""

import base64
import ctypes
import datetime as dt
import hashlib
import ipaddress
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from s1ctl.oci.registry import Registry
from s1ctl.oci.retry import Patience
from s1ctl.site.secrets import Secret
from tests.support.require import need

START_S = 20
IMPATIENT = Patience(tries=3, first_s=0.01, longest_s=1)
USER = "loader"
PASSWORD = "canary-7f3a-not-for-any-message"
_ACCESS = re.compile(r'^\S+ - \S+ \[[^]]*\] "(\S+) (\S+) HTTP/[\d.]+" (\d+) (\d+) ', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One line of the registry's access log; `path` has its query."""

    method: str
    path: str
    status: int


class RegistryServer:
    """A registry process with its storage under `folder`; may be stopped and started again."""

    def __init__(
        self,
        folder: Path,
        *,
        tls: bool = False,
        user: str | None = None,
        password: str | None = None,
        relative_urls: bool = False,
        names: tuple[str, ...] = ("127.0.0.1", "localhost"),
        storage: Path | None = None,
        calls_itself: str | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.storage = storage or folder / "storage"
        self.log = folder / "registry.log"
        self.user = user
        self.password = password
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"
        self.ca: Path | None = folder / "ca.crt" if tls else None
        self._process: subprocess.Popen[bytes] | None = None
        if tls:
            make_certificates(folder, names)
        if user is not None and password is not None:
            (folder / "htpasswd").write_text(f"{user}:{bcrypt(password)}\n")
        self._relative_urls = relative_urls
        self._calls_itself = calls_itself
        self.configure()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it on its port, over the storage it had, and wait until it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["docker-registry", "serve", str(self.folder / "config.yml")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"]},
            )
        self._wait_until_ready()

    def stop(self, *, how: signal.Signals = signal.SIGTERM) -> None:
        """End it; with `SIGKILL` in the middle of whatever it does."""
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process = None

    def connect(self, **changes: Any) -> Registry:
        """Make a client that is let in, and is impatient; `changes` replace its arguments."""
        password = None if self.password is None else Secret(self.password)
        arguments = {
            "ca": self.ca,
            "user": self.user,
            "password": password,
            "patience": IMPATIENT,
            **changes,
        }
        return Registry(arguments.pop("url", self.url), **arguments)

    def restart(self) -> None:
        """Stop and start it: same port, same storage."""
        self.stop()
        self.start()

    @property
    def pid(self) -> int | None:
        """The process id, while it runs."""
        return self._process.pid if self._process else None

    def requests(self) -> list[Request]:
        """Say what was asked of it so far, without the asking whether it is ready."""
        found = _ACCESS.findall(self.log.read_text("utf-8", errors="replace"))
        return [
            Request(method=method, path=path, status=int(status))
            for method, path, status, _ in found
            if "readiness" not in path
        ]

    def blobs(self) -> dict[str, int]:
        """List the digests in its storage with the sizes; each blob is stored once."""
        root = self.storage / "docker/registry/v2/blobs/sha256"
        return {f"sha256:{data.parent.name}": data.stat().st_size for data in root.glob("*/*/data")}

    def contents(self) -> dict[str, str]:
        """Take down what its storage holds: blobs by their size, tags and the like by their text.

        Uploads that were begun are left out: they are no content, and the registry clears them.
        """
        found = sorted(path for path in self.storage.rglob("*") if path.name in ("data", "link"))
        return {
            str(path.relative_to(self.storage)): path.read_text()
            if path.name == "link"
            else f"{path.stat().st_size} bytes"
            for path in found
            if "_uploads" not in path.parts
        }

    def damaged_blobs(self) -> list[str]:
        """List the blobs in its storage whose bytes are not those of their digest."""
        root = self.storage / "docker/registry/v2/blobs/sha256"
        return [
            data.parent.name
            for data in root.glob("*/*/data")
            if hashlib.sha256(data.read_bytes()).hexdigest() != data.parent.name
        ]

    def uploads(self) -> list[Path]:
        """List the unfinished uploads in its storage."""
        return list((self.storage / "docker/registry/v2/repositories").glob("**/_uploads/*/data"))

    def forget_blob(self, digest: str) -> None:
        """Take a blob's bytes away behind its back (its cache forgets at the next start)."""
        hexadecimal = digest.removeprefix("sha256:")
        shutil.rmtree(
            self.storage / "docker/registry/v2/blobs/sha256" / hexadecimal[:2] / hexadecimal
        )

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        request = urllib.request.Request(f"{self.url}/v2/?readiness", headers=self._authorization())
        context = ssl._create_unverified_context() if self.ca else None
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            try:
                opener.open(request, timeout=2).close()
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
            else:
                return
        self.stop(how=signal.SIGKILL)
        raise RuntimeError(f"the registry did not start: {self.log.read_text()[-2000:]}")

    def _authorization(self) -> dict[str, str]:
        if self.user is None:
            return {}
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {token}"}

    def configure(self, *, is_read_only: bool = False) -> None:
        """Write its configuration, which it reads when it starts."""
        lines = [
            "version: 0.1",
            "log: {level: debug, accesslog: {disabled: false}}",
            "storage:",
            f"  filesystem: {{rootdirectory: {self.storage}}}",
            "  delete: {enabled: true}",
            f"  maintenance: {{readonly: {{enabled: {str(is_read_only).lower()}}}}}",
            "http:",
            f"  addr: {self.host}",
            "  secret: only-for-tests",
            f"  relativeurls: {str(self._relative_urls).lower()}",
        ]
        if self._calls_itself:
            lines.append(f"  host: {self._calls_itself}")
        if self.ca is not None:
            lines.append(
                f"  tls: {{certificate: {self.folder}/server.crt, key: {self.folder}/server.key}}"
            )
        if self.user is not None:
            lines.append(f"auth: {{htpasswd: {{realm: test, path: {self.folder}/htpasswd}}}}")
        (self.folder / "config.yml").write_text("\n".join(lines) + "\n")


def free_port() -> int:
    """Find a port on loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def bcrypt(password: str) -> str:
    """Make an htpasswd entry with the system's own libcrypt, at its cheapest cost."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt_gensalt.restype = library.crypt.restype = ctypes.c_char_p
    salt = library.crypt_gensalt(b"$2b$", ctypes.c_ulong(4), os.urandom(16), 16)
    return str(library.crypt(password.encode(), salt).decode())


def make_certificates(folder: Path, names: tuple[str, ...], *, days: int = 1) -> None:
    """Write `ca.crt`, and `server.crt` and `server.key` for `names`, signed by it.

    The server's ends in so many `days`; where they are negative it has ended.
    """
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test registry")])
    ca_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    signed_by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_id)
    ca = _builder(ca_name, ca_name, ca_key).add_extension(ca_id, critical=False)
    ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    ca = ca.add_extension(_usage(may_sign_certificates=True), critical=True)
    server = _builder(name, ca_name, key, days).add_extension(
        x509.SubjectAlternativeName([_alternative(text) for text in names]), critical=False
    )
    server = server.add_extension(signed_by, critical=False)
    pem = serialization.Encoding.PEM
    (folder / "ca.crt").write_bytes(ca.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    (folder / "server.crt").write_bytes(server.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    (folder / "server.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int = 1
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=9))
        .not_valid_after(now + dt.timedelta(days=days))
    )


def _usage(*, may_sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=may_sign_certificates,
        crl_sign=may_sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RegistryServer]:
    """Yield an empty registry with TLS by a private CA, and basic auth."""
    need("registry")
    with RegistryServer(tmp_path / "registry", tls=True, user=USER, password=PASSWORD) as server:
        yield server


@pytest.fixture
def plain_registry(tmp_path: Path) -> Iterator[RegistryServer]:
    """Yield an empty registry over plain HTTP, open to everybody."""
    need("registry")
    with RegistryServer(tmp_path / "plain-registry") as server:
        yield server
