"""Errors for what a registry answers: the status, and its own words, escaped and capped."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from s1ctl.errors import InputOutputFailed
from s1ctl.oci.retry import TemporarilyFailed, parse_retry_after

TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
MAX_WORDS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer with its body read, as far as it was wanted; header names as they came."""

    method: str
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def host(self) -> str:
        """Who answered."""
        return urlsplit(self.url).netloc

    @property
    def said(self) -> str:
        """What was asked and answered, in a sentence; queries are left out, they hold tokens."""
        words = first_words(self.body)
        asked = f"{self.method} {urlsplit(self.url).path}"
        return f"`{self.host}` answered {self.status} to `{asked}`" + (f": {words}" * bool(words))


def refuse_answer(answer: Answer, *, user: str | None) -> InputOutputFailed:
    """Make the error for an answer that is not one of those hoped for."""
    if answer.status == 401:
        return _unauthenticated(answer, user)
    if answer.status == 403:
        return InputOutputFailed(
            answer.said,
            code="S1-R07",
            hint=f"let {_user(user)} pull and push there, or give another `registry.user`",
        )
    if answer.status == 413:
        return InputOutputFailed(
            answer.said,
            code="S1-R13",
            hint="raise the limit for request bodies in the proxy before the registry",
        )
    if answer.status in TEMPORARY:
        return TemporarilyFailed(
            answer.said,
            code="S1-R10",
            hint="look at the registry's log and at its disk, then run the command again",
            after_s=parse_retry_after(answer.headers.get("Retry-After"), now=datetime.now(UTC)),
        )
    return InputOutputFailed(
        answer.said, code="S1-R12", hint="look at the registry's log, then run the command again"
    )


def _unauthenticated(answer: Answer, user: str | None) -> InputOutputFailed:
    if user is None:
        return InputOutputFailed(
            f"`{answer.host}` asks for a user and a password",
            code="S1-R06",
            hint="give `registry.user` and `registry.password` in the site file",
        )
    return InputOutputFailed(
        f"`{answer.host}` does not accept the password of `{user}`",
        code="S1-R06",
        hint="correct `registry.user` or what `registry.password` names in the site file",
    )


def _user(user: str | None) -> str:
    return f"`{user}`" if user else "everybody"


def first_words(body: bytes) -> str:
    """Take the registry's own words out of an error body: its first error, else its first line."""
    text = _first_error(body) or body.decode("utf-8", errors="replace").strip()
    line = (text.splitlines() or [""])[0]
    return line[:MAX_WORDS].encode("unicode_escape").decode("ascii")


def _first_error(body: bytes) -> str:
    """Read an error in the form of the distribution spec, "Error Codes"."""
    try:
        error = json.loads(body)["errors"][0]
        return f"{error['code']} {error['message']}"
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
