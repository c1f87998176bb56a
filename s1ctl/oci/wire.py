"""Requests to a registry over urllib3: who we are, deadlines, redirects, and what went wrong."""

import base64
import random
import threading
import time
from collections.abc import Callable, Iterator, Set
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

import s1ctl
from s1ctl.errors import InputOutputFailed
from s1ctl.oci import cause
from s1ctl.oci.call import MAX_WORDS_BYTES, Call, Deadlines, Revealable
from s1ctl.oci.challenge import Challenge, parse_challenge, parse_token
from s1ctl.oci.pools import Pools, translate
from s1ctl.oci.proxy import Proxies, Proxy
from s1ctl.oci.refusal import Answer, refuse_answer
from s1ctl.oci.retry import Patience, TemporarilyFailed, retry

READ_BYTES = 1 << 16
MAX_TOKEN_BYTES = 1 << 20
MAX_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})
FEW = 3
T = TypeVar("T")


class Wire:
    """Connections to one registry at `base`, `SCHEME://HOST:PORT`; safe for several threads.

    Credentials go to that origin and to the token endpoint it names, and to no other host.
    `proxies` says which address is asked through a proxy.
    """

    def __init__(
        self,
        base: str,
        *,
        ca: Path | None,
        user: str | None,
        password: Revealable | None,
        proxies: Proxies,
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
        self._proxies = proxies
        self._was_there = False
        self._pools = Pools(ca, deadlines)
        if base.startswith("https:"):
            self._pools.prepare()
        self._lock = threading.Lock()
        self._authorizations: dict[tuple[str, ...], str] = {}

    @property
    def proxy(self) -> Proxy | None:
        """The proxy through which the registry is asked."""
        return self._proxies.to(self.base)

    def ask(self, call: Call, *, hoped: Set[int]) -> Answer:
        """Send `call`, again where that may help, and read the answer; other statuses raise."""
        return self.retry(lambda _: self.ask_once(call, hoped=hoped))

    def ask_a_little(self, call: Call, *, hoped: Set[int], at_last: Set[int]) -> Answer:
        """Send `call` as in `ask`, a few times; then the statuses `at_last` are an answer, too."""
        last = min(FEW, self._patience.tries)
        return self.retry(
            lambda number: self.ask_once(
                call, hoped=hoped | (at_last if number == last else set())
            ),
            tries=last,
        )

    def ask_once(self, call: Call, *, hoped: Set[int]) -> Answer:
        """Send `call` one time and read the answer; statuses not hoped for raise."""
        response, at = self._follow(call)
        is_hoped = response.status in hoped
        body = self._read_body(response, at, call.max_bytes if is_hoped else MAX_WORDS_BYTES)
        answer = self._answer(at, response, body)
        if not is_hoped:
            raise self._refused(answer)
        return answer

    def stream(self, call: Call) -> Iterator[bytes] | None:
        """Send a GET and hand out its body in chunks; None where the answer is 404."""

        def attempt(_: int) -> tuple[urllib3.BaseHTTPResponse, Call] | None:
            response, at = self._follow(call)
            if response.status == 200:
                return response, at
            answer = self._answer(at, response, self._read_body(response, at, MAX_WORDS_BYTES))
            if response.status == 404:
                return None
            raise self._refused(answer)

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
            url = self.target(self._answer(call, response, b""))
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
        response = self._pools.send(
            call, headers, proxy=self._proxies.to(call.url), was_there=self._was_there
        )
        self._was_there = True
        return response

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
            raise refuse_answer(self._answer(call, response, body), user=self._user)
        token = parse_token(body)
        if token is None:
            raise cause.nonsense(urlsplit(challenge.realm).netloc, "no token where one was asked")
        return token

    def _answer(self, call: Call, response: urllib3.BaseHTTPResponse, body: bytes) -> Answer:
        proxy = self._proxies.to(call.url)
        return Answer(
            method=call.method,
            url=call.url,
            status=response.status,
            headers=response.headers,
            body=body,
            proxy=str(proxy) if proxy else None,
        )

    def _refused(self, answer: Answer) -> InputOutputFailed:
        if answer.status == 401 and not self._is_ours(answer.url):
            return cause.led_to_asker(self.host, answer.host)
        return refuse_answer(answer, user=self._user)

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


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
