"""Connections by urllib3, straight or through a proxy, and what its exceptions mean."""

import http.client
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from s1ctl.errors import InputOutputFailed
from s1ctl.oci import cause
from s1ctl.oci.call import Call, Deadlines
from s1ctl.oci.proxy import Proxy

MAX_CONNECTIONS = 16


class TunnelRefused(OSError):
    """A proxy that does not lead on; `status` is what it answered to CONNECT."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Pools:
    """Connections to a registry and to wherever it sends us on; safe for several threads."""

    def __init__(self, ca: Path | None, deadlines: Deadlines) -> None:
        self._ca = ca
        self._deadlines = deadlines
        self._context: ssl.SSLContext | None = None
        self._managers: dict[Proxy | None, urllib3.PoolManager] = {}

    def prepare(self) -> None:
        """Read the authorities. Raises `InputOutputFailed` S1-R18 where that fails."""
        self._context = tls_context(self._ca)

    def send(
        self, call: Call, headers: dict[str, str], *, proxy: Proxy | None, was_there: bool
    ) -> urllib3.BaseHTTPResponse:
        """Send `call` and wait for the head of its answer.

        With `was_there` a connection that is refused may be made in a while.
        """
        deadlines = self._deadlines
        timeout = urllib3.Timeout(connect=deadlines.connect_s, read=deadlines.answer_s(call))
        try:
            return self._manager(proxy).urlopen(
                call.method,
                call.url,
                redirect=False,
                retries=False,
                body=call.body,
                headers=headers | dict(call.headers),
                timeout=timeout,
                preload_content=False,
                decode_content=False,
            )
        except HTTPError as error:
            failed = _failure(error, call, deadlines, ca=self._ca, proxy=proxy)
            is_gone = failed.code in {"S1-R02", "S1-R26"} and was_there
            raise cause.gone(failed) if is_gone else failed from None

    def _manager(self, proxy: Proxy | None) -> urllib3.PoolManager:
        found = self._managers.get(proxy)
        if found is None:
            found = _open(self._context, self._deadlines.progress_s, proxy)
            found = self._managers.setdefault(proxy, found)
        return found


def _failure(
    error: HTTPError, call: Call, deadlines: Deadlines, *, ca: Path | None, proxy: Proxy | None
) -> InputOutputFailed:
    if proxy is None:
        return translate(error, call, deadlines, ca=ca)
    if isinstance(error, urllib3.exceptions.ProxyError):
        return _proxy_failed(error, call, proxy)
    return cause.through(translate(error, call, deadlines, ca=ca), proxy)


def translate(  # noqa: C901, PLR0911 - one case a cause
    error: HTTPError, call: Call, deadlines: Deadlines, *, ca: Path | None = None
) -> InputOutputFailed:
    """Make our error of urllib3's, by its type and cause, never by its text."""
    host = urlsplit(call.url).netloc
    inner = error.args[-1] if error.args else None
    match error:
        case urllib3.exceptions.NameResolutionError():
            return cause.unresolved(host)
        case urllib3.exceptions.NewConnectionError():
            return cause.unreachable(host, reason_of(error.__cause__ or error))
        case urllib3.exceptions.ConnectTimeoutError():
            return cause.timed_out(host, f"accept a connection within {deadlines.connect_s:g} s")
        case urllib3.exceptions.SSLError():
            return cause.tls_failed(host, inner if isinstance(inner, BaseException) else error, ca)
        case urllib3.exceptions.TimeoutError():
            return cause.timed_out(host, f"answer within {deadlines.answer_s(call):g} s")
        case urllib3.exceptions.ProtocolError() if isinstance(inner, TimeoutError):
            return cause.timed_out(host, f"take a chunk within {deadlines.progress_s:g} s")
        case urllib3.exceptions.ProtocolError() if _is_not_http(inner) and call.url[:5] == "http:":
            return cause.not_plain(host)
        case urllib3.exceptions.ProtocolError():
            return cause.broken(host, reason_of(inner if isinstance(inner, Exception) else error))
        case _:
            return cause.nonsense(host, f"what HTTP does not allow ({type(error).__name__})")


def _proxy_failed(error: HTTPError, call: Call, proxy: Proxy) -> InputOutputFailed:
    host = urlsplit(call.url).netloc
    inner = error.args[-1] if error.args else None
    if isinstance(inner, TunnelRefused):
        return cause.not_led_on(host, proxy, inner.status, inner.reason)
    if isinstance(inner, urllib3.exceptions.NameResolutionError):
        return cause.no_proxy_there(host, proxy, "its name does not resolve")
    root = inner.__cause__ if isinstance(inner, Exception) else None
    return cause.no_proxy_there(host, proxy, reason_of(root or inner or error))


def reason_of(error: BaseException) -> str:
    """Say what the operating system calls it, else what Python does."""
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__


def tls_context(ca: Path | None) -> ssl.SSLContext:
    """Trust the authorities in `ca` alone, or the system's; TLS 1.2 at least."""
    try:
        return ssl.create_default_context(cafile=str(ca) if ca else None)
    except OSError as error:  # an `ssl.SSLError` is one, too
        raise InputOutputFailed(
            f"the certificates in `{ca}` cannot be read: {cause.escaped(reason_of(error))}",
            code="S1-R18",
            hint="name a file in PEM format as `registry.ca` in the site file",
        ) from None


def _is_not_http(error: object) -> bool:
    is_closed = isinstance(error, http.client.RemoteDisconnected)
    return isinstance(error, http.client.BadStatusLine) and not is_closed


def _open(
    context: ssl.SSLContext | None, progress_s: float, proxy: Proxy | None
) -> urllib3.PoolManager:
    more: dict[str, Any] = {"maxsize": MAX_CONNECTIONS, "ssl_context": context}
    if proxy is None:
        pools = urllib3.PoolManager(**more)
    else:
        known = {"Proxy-Authorization": proxy.authorization} if proxy.authorization else {}
        pools = urllib3.ProxyManager(
            proxy.url, proxy_headers=known, proxy_ssl_context=tls_context(None), **more
        )
    kinds: dict[str, tuple[type[Any], type[HTTPConnection]]] = {
        "http": (urllib3.HTTPConnectionPool, HTTPConnection),
        "https": (urllib3.HTTPSConnectionPool, HTTPSConnection),
    }
    pools.pool_classes_by_scheme = {
        scheme: type(pool.__name__, (pool,), {"ConnectionCls": _patient(connection, progress_s)})
        for scheme, (pool, connection) in kinds.items()
    }
    return pools


def _patient(kind: type[HTTPConnection], progress_s: float) -> type[HTTPConnection]:
    """Make connections send under the progress deadline; urllib3 takes the one for connecting."""

    def send(self: HTTPConnection, data: Any) -> None:
        if self.sock is not None:
            self.sock.settimeout(progress_s)
        kind.send(self, data)

    return type(kind.__name__, (kind,), {"send": send, "_tunnel": _tunnel})


def _tunnel(self: Any) -> None:
    """Ask a proxy to lead on (RFC 9110, 9.3.6); http.client tells its status in words alone."""
    host = f"[{self._tunnel_host}]" if ":" in self._tunnel_host else self._tunnel_host
    place = f"{host}:{self._tunnel_port}"
    lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
    lines += [f"{name}: {value}" for name, value in self._tunnel_headers.items()]
    self.send("\r\n".join([*lines, "", ""]).encode("ascii"))
    answer = http.client.HTTPResponse(self.sock, method="CONNECT")
    answer.begin()
    answer.close()  # its file; the connection goes on
    if answer.status != http.HTTPStatus.OK:
        self.close()
        raise TunnelRefused(answer.status, answer.reason)
