"""Proxies on the way to a registry, as `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` name them."""

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from s1ctl.errors import InputOutputFailed
from s1ctl.oci.cause import escaped

VARIABLES = {"https": "HTTPS_PROXY", "http": "HTTP_PROXY"}
PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy, and the `variable` that names it; its user and password are never shown."""

    url: str
    variable: str
    authorization: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"`{self.url}` of `{self.variable}`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """Which proxy leads to which address; none of them leads to this host itself."""

    by_scheme: Mapping[str, Proxy]
    exceptions: tuple[str, ...]

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Proxies":
        """Read an environment; a variable in capitals wins over the same in small letters.

        Raises `InputOutputFailed` S1-R28 for an address that is none of a proxy.
        """
        found = {
            scheme: parse_proxy(given, variable)
            for scheme, name in VARIABLES.items()
            for variable, given in [_read(environment, name)]
            if given
        }
        _, listed = _read(environment, "NO_PROXY")
        return cls(by_scheme=found, exceptions=tuple(listed.replace(",", " ").split()))

    def to(self, url: str) -> Proxy | None:
        """Choose the proxy to `url`; None: go straight."""
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        port = parts.port or PORTS.get(parts.scheme, 0)
        is_straight = _is_this_host(host) or any(
            is_named(one, host, port) for one in self.exceptions
        )
        return None if is_straight else self.by_scheme.get(parts.scheme)


STRAIGHT = Proxies(by_scheme={}, exceptions=())


def parse_proxy(text: str, variable: str) -> Proxy:
    """Read the address of a proxy; one without a scheme is `http`."""
    parts = _split(text if "://" in text else f"http://{text}")
    port = _port(parts) if parts else None
    if parts is None or parts.scheme not in PORTS or not parts.hostname or port is None:
        known = f", but of `{escaped(parts.scheme)}`" if parts and parts.hostname else ""
        raise InputOutputFailed(
            f"`{variable}` does not hold the address of an HTTP proxy{known}",
            code="S1-R28",
            hint=f"set it as `{variable}=http://HOST:PORT`, or unset it",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
    return Proxy(
        url=f"{parts.scheme}://{host}:{port}", variable=variable, authorization=authorization
    )


def is_named(exception: str, host: str, port: int) -> bool:
    """Say whether an entry of `NO_PROXY` names `host`: `*`, a name with all below, IP, net.

    An entry with a port names that port only.
    """
    name, wanted = _split_port(exception.lower())
    if wanted not in {None, port}:
        return False
    address = _address(host)
    if address is not None:
        network = _network(name)
        return name == "*" or (network is not None and address in network)
    name = name.removeprefix("*").strip(".")
    return exception == "*" or (bool(name) and f".{host.lower()}".endswith(f".{name}"))


def _read(environment: Mapping[str, str], name: str) -> tuple[str, str]:
    for variable in (name, name.lower()):
        if value := environment.get(variable, "").strip():
            return variable, value
    return name, ""


def _split(text: str) -> SplitResult | None:
    try:
        return urlsplit(text)
    except ValueError:
        return None


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return None


def _split_port(entry: str) -> tuple[str, int | None]:
    """Part `HOST:PORT` and `[IP]:PORT`; an IP of version 6 alone has no port."""
    name, colon, port = entry.rpartition(":")
    is_parted = colon and port.isascii() and port.isdigit() and (":" not in name or "]" in name)
    if is_parted:
        return name.strip("[]"), int(port)
    return entry.strip("[]"), None


def _is_this_host(host: str) -> bool:
    address = _address(host)
    return host.lower() == "localhost" or (address is not None and address.is_loopback)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
