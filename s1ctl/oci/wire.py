"""Requests to a registry over urllib3: who we are, deadlines, redirects, and what went wrong."""

import base64
import http.client
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

import s1ctl
from s1ctl.errors import InputOutputFailed
from s1ctl.oci import cause
from s1ctl.oci.challenge import Challenge, parse_challenge, parse_token
from s1ctl.oci.refusal import Answer, refuse_answer
from s1ctl.oci.retry import Patience, TemporarilyFailed, retry

READ_BYTES = 1 << 16
MAX_WORDS_BYTES = 8 << 10
MAX_TOKEN_BYTES = 1 << 20
MAX_REDIRECTS = 3
MAX_CONNECTIONS = 16
REDIRECTS = frozenset({301, 302, 303, 307, 308})
T = TypeVar("T")


class Revealable(Protocol):
    """A secret that is taken out only where it is sent."""

    def reveal(self) -> str:
        """Hand out the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. A `body` that is an iterator is sent once; `scopes` are those of its token.

    Of an answer's body `max_bytes` and one more are kept: who gets more was sent too much.
    """

    method: str
    url: str
    scopes: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterator[bytes] | None = None
    is_commit: bool = False
    max_bytes: int = MAX_WORDS_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long to wait for a connection, for the next byte, and for a sent body to be stored."""

    connect_s: float = 10
    progress_s: float = 60
    commit_s: float = 300

    def answer_s(self, call: Call) -> float:
        """Say how long the answer to `call` may take."""
        return self.commit_s if call.is_commit else self.progress_s


class Wire:
    """Connections to one registry at `base`, `SCHEME://HOST:PORT`; safe for several threads.

    Credentials go to that origin and to the token endpoint it names, and to no other host.
    Proxies named in the environment are not used.
    """

    def __init__(
        self,
        base: str,
        *,
        ca: Path | None,
        user: str | None,
        password: Revealable | None,
        deadlines: Deadlines,
        patience: Patience,
        pause: Callable[[float], object],
    ) -> None:
        self.base = base
        self.host = urlsplit(base).netloc
        self.scheme = "none"
        self.setbacks = 0
        self._user = user
        self._password = password
        self._deadlines = deadlines
        self._patience = patience
        self.pause = pause
        context = _tls_context(ca) if base.startswith("https:") else None
        self._pools = _make_pools(context, deadlines.progress_s)
        self._lock = threading.Lock()
        self._authorizations: dict[tuple[str, ...], str] = {}

    def ask(self, call: Call, *, hoped: set[int]) -> Answer:
        """Send `call`, again where that may help, and read the answer; other statuses raise."""
        return self.retry(lambda _: self.ask_once(call, hoped=hoped))

    def ask_once(self, call: Call, *, hoped: set[int]) -> Answer:
        """Send `call` one time and read the answer; statuses not hoped for raise."""
        response, at = self._follow(call)
        is_hoped = response.status in hoped
        body = self._read_body(response, at, call.max_bytes if is_hoped else MAX_WORDS_BYTES)
        answer = _answer(at, response, body)
        if not is_hoped:
            raise refuse_answer(answer, user=self._user if self._is_ours(at.url) else None)
        return answer

    def stream(self, call: Call) -> Iterator[bytes] | None:
        """Send a GET and hand out its body in chunks; None where the answer is 404."""

        def attempt(_: int) -> tuple[urllib3.BaseHTTPResponse, Call] | None:
            response, at = self._follow(call)
            if response.status == 200:
                return response, at
            answer = _answer(at, response, self._read_body(response, at, MAX_WORDS_BYTES))
            if response.status == 404:
                return None
            raise refuse_answer(answer, user=self._user)

        opened = self.retry(attempt)
        return self._chunks(*opened) if opened else None

    def retry(self, act: Callable[[int], T], *, tries: int | None = None) -> T:
        """Call `act` within this registry's patience; what passes by itself is counted."""

        def counted(number: int) -> T:
            try:
                return act(number)
            except TemporarilyFailed:
                with self._lock:
                    self.setbacks += 1
                raise

        patience = replace(self._patience, tries=tries or self._patience.tries)
        return retry(counted, patience=patience, pause=self.pause, jitter=random.random)

    def target(self, answer: Answer) -> str | None:
        """Find where an answer's `Location` leads; it may be relative, or on another host.

        Raises `InputOutputFailed` S1-R16 where it would leave TLS.
        """
        location = answer.headers.get("Location")
        if not location:
            return None
        url = urljoin(answer.url, location)
        if urlsplit(url).scheme in {"https", urlsplit(self.base).scheme}:
            return url
        raise InputOutputFailed(
            f"`{self.host}` sends us on to `{cause.escaped(url.partition('?')[0])}`, without TLS",
            code="S1-R16",
            hint="set `http.relativeurls: true` or `http.host: https://…` in the registry",
        )

    def _follow(self, call: Call) -> tuple[urllib3.BaseHTTPResponse, Call]:
        """Send `call`, and where it reads, go where redirects lead."""
        for _ in range(MAX_REDIRECTS + 1):
            response = self._send_known(call)
            if call.method not in {"GET", "HEAD"} or response.status not in REDIRECTS:
                return response, call
            response.close()
            url = self.target(_answer(call, response, b""))
            if url is None:
                return response, call
            call = replace(call, url=url)
        raise cause.nonsense(self.host, f"more than {MAX_REDIRECTS} redirects for one request")

    def _send_known(self, call: Call) -> urllib3.BaseHTTPResponse:
        """Send `call`, and once more with what a 401 asks for."""
        used = self._authorization(call)
        response = self._send(call, used)
        if response.status != 401 or not self._is_ours(call.url):
            return response
        self._read_body(response, call, MAX_WORDS_BYTES)  # frees the connection, errors or not
        found = self._authorize(call, response.headers.get("WWW-Authenticate"))
        if found is None or found == used:
            return response
        if isinstance(call.body, Iterator):
            raise TemporarilyFailed(
                f"`{self.host}` asked for a new token in the middle of an upload",
                code="S1-R10",
                hint="run the command again: only what lacks is sent",
            )
        return self._send(call, found)

    def _send(self, call: Call, authorization: str | None) -> urllib3.BaseHTTPResponse:
        headers = {"User-Agent": f"s1ctl/{s1ctl.__version__}", "Accept-Encoding": "identity"}
        headers |= {"Authorization": authorization} if authorization else {}
        deadlines = self._deadlines
        try:
            return self._pools.urlopen(
                call.method,
                call.url,
                redirect=False,
                retries=False,
                body=call.body,
                headers=headers | dict(call.headers),
                timeout=urllib3.Timeout(connect=deadlines.connect_s, read=deadlines.answer_s(call)),
                preload_content=False,
                decode_content=False,
            )
        except HTTPError as error:
            raise translate(error, call, deadlines) from None

    # Who we are

    def _authorization(self, call: Call) -> str | None:
        if not self._is_ours(call.url):
            return None
        with self._lock:
            return self._authorizations.get(() if self.scheme == "basic" else call.scopes)

    def _authorize(self, call: Call, header: str | None) -> str | None:
        """Find the authorization that a challenge asks for, and keep it for later requests."""
        challenge = parse_challenge(header)
        if challenge is None or (challenge.scheme == "basic" and self._user is None):
            return None
        if challenge.scheme == "basic":
            found = self._basic()
        else:
            found = f"Bearer {self._token(challenge, call.scopes)}"
        with self._lock:
            self.scheme = challenge.scheme
            self._authorizations[() if challenge.scheme == "basic" else call.scopes] = found
        return found

    def _basic(self) -> str:
        password = self._password.reveal() if self._password else ""
        return "Basic " + base64.b64encode(f"{self._user}:{password}".encode()).decode("ascii")

    def _token(self, challenge: Challenge, scopes: tuple[str, ...]) -> str:
        """Ask the token endpoint, which may be another host, as the registry says."""
        own = urlsplit(self.base).scheme
        if urlsplit(challenge.realm).scheme not in {"https", own}:
            raise cause.nonsense(self.host, f"the token endpoint `{challenge.realm}`")
        more = tuple(scope for scope in scopes if scope != challenge.scope)
        call = Call(method="GET", url=challenge.token_url(more), max_bytes=MAX_TOKEN_BYTES)
        response = self._send(call, self._basic() if self._user else None)
        body = self._read_body(response, call, MAX_TOKEN_BYTES)
        if response.status != 200:
            raise refuse_answer(_answer(call, response, body), user=self._user)
        token = parse_token(body)
        if token is None:
            raise cause.nonsense(urlsplit(challenge.realm).netloc, "no token where one was asked")
        return token

    def _is_ours(self, url: str) -> bool:
        return _origin(url) == _origin(self.base)

    # Reading

    def _read_body(self, response: urllib3.BaseHTTPResponse, call: Call, limit: int) -> bytes:
        """Read at most `limit` bytes and one, within the progress deadline as a whole."""
        body = bytearray()
        until = time.monotonic() + self._deadlines.progress_s
        while len(body) <= limit and (chunk := self._read(response, call)):
            body += chunk
            if time.monotonic() > until:
                response.close()
                limit_s = self._deadlines.progress_s
                raise cause.timed_out(self.host, f"finish its answer within {limit_s:g} s")
        if len(body) > limit:
            response.close()
        return bytes(body[: limit + 1])

    def _chunks(self, response: urllib3.BaseHTTPResponse, call: Call) -> Iterator[bytes]:
        try:
            while chunk := self._read(response, call):
                yield chunk
        finally:
            response.close()

    def _read(self, response: urllib3.BaseHTTPResponse, call: Call) -> bytes:
        try:
            return response.read1(READ_BYTES, decode_content=False)
        except HTTPError as error:
            raise translate(error, call, self._deadlines) from None


def translate(  # noqa: C901, PLR0911 - one case a cause
    error: HTTPError, call: Call, deadlines: Deadlines
) -> InputOutputFailed:
    """Make our error of urllib3's, by its type and cause, never by its text."""
    host = urlsplit(call.url).netloc
    inner = error.args[-1] if error.args else None
    match error:
        case urllib3.exceptions.NameResolutionError():
            return cause.unresolved(host)
        case urllib3.exceptions.NewConnectionError():
            return cause.unreachable(host, _reason(error.__cause__ or error))
        case urllib3.exceptions.ConnectTimeoutError():
            return cause.timed_out(host, f"accept a connection within {deadlines.connect_s:g} s")
        case urllib3.exceptions.SSLError():
            return cause.tls_failed(host, inner if isinstance(inner, BaseException) else error)
        case urllib3.exceptions.TimeoutError():
            return cause.timed_out(host, f"answer within {deadlines.answer_s(call):g} s")
        case urllib3.exceptions.ProtocolError() if isinstance(inner, TimeoutError):
            return cause.timed_out(host, f"take a chunk within {deadlines.progress_s:g} s")
        case urllib3.exceptions.ProtocolError() if _is_not_http(inner) and call.url[:5] == "http:":
            return cause.not_plain(host)
        case urllib3.exceptions.ProtocolError():
            return cause.broken(host, _reason(inner if isinstance(inner, Exception) else error))
        case _:
            return cause.nonsense(host, f"what HTTP does not allow ({type(error).__name__})")


def _is_not_http(error: object) -> bool:
    is_closed = isinstance(error, http.client.RemoteDisconnected)
    return isinstance(error, http.client.BadStatusLine) and not is_closed


def _reason(error: BaseException) -> str:
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__


def _answer(call: Call, response: urllib3.BaseHTTPResponse, body: bytes) -> Answer:
    return Answer(
        method=call.method,
        url=call.url,
        status=response.status,
        headers=response.headers,
        body=body,
    )


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _tls_context(ca: Path | None) -> ssl.SSLContext:
    """Trust the authorities in `ca` alone, or the system's; TLS 1.2 at least."""
    try:
        return ssl.create_default_context(cafile=str(ca) if ca else None)
    except OSError as error:  # an `ssl.SSLError` is one, too
        raise InputOutputFailed(
            f"the certificates in `{ca}` cannot be read: {cause.escaped(_reason(error))}",
            code="S1-R18",
            hint="name a file in PEM format as `registry.ca` in the site file",
        ) from None


def _make_pools(context: ssl.SSLContext | None, progress_s: float) -> urllib3.PoolManager:
    pools = urllib3.PoolManager(maxsize=MAX_CONNECTIONS, ssl_context=context)
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

    return type(kind.__name__, (kind,), {"send": send})
