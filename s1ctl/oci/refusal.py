"""Errors for what a registry answers: the status, and its own words, escaped and capped."""

import errno
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from s1ctl.errors import InputOutputFailed
from s1ctl.oci.cause import no_entry
from s1ctl.oci.retry import TemporarilyFailed, parse_retry_after

TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
MAX_WORDS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer with its body read, as far as it was wanted; header names as they came."""

    method: str
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    proxy: str | None = None

    @property
    def host(self) -> str:
        """Who answered."""
        return urlsplit(self.url).netloc

    @property
    def said(self) -> str:
        """What was asked and answered, in a sentence; queries are left out, they hold tokens."""
        words = first_words(self.body)
        asked = f"{self.method} {urlsplit(self.url).path}"
        through = f", asked through the proxy {self.proxy}," if self.proxy else ""
        said = f"`{self.host}`{through} answered {self.status} to `{asked}`"
        return said + (f": {words}" * bool(words))


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
    if answer.status == 507 or _errno(answer.body) in FULL:
        return InputOutputFailed(
            answer.said,
            code="S1-R29",
            hint="make room on the registry's disk, then run the command again:"
            " only what lacks is sent",
        )
    if answer.status in TEMPORARY:
        return _busy(answer)
    return _not_taken(answer) or InputOutputFailed(
        answer.said, code="S1-R12", hint="look at the registry's log, then run the command again"
    )


def _not_taken(answer: Answer) -> InputOutputFailed | None:
    """Make the error for what something on the way, or the registry's own mode, does not let in."""
    if answer.status == 407 and answer.proxy:
        return no_entry(answer.host, answer.proxy)
    if answer.status == 413:
        return InputOutputFailed(
            answer.said,
            code="S1-R13",
            hint="raise the limit for request bodies in the proxy before the registry"
            " (nginx: `client_max_body_size 0`), then run the command again",
        )
    if answer.status == 405 and answer.method in {"POST", "PUT", "PATCH"}:
        return InputOutputFailed(
            f"{answer.said}: it takes nothing, only answers",
            code="S1-R25",
            hint="end its read-only mode (`storage.maintenance.readonly`), then run it again",
        )
    return None


def _busy(answer: Answer) -> TemporarilyFailed:
    after_s = parse_retry_after(answer.headers.get("Retry-After"), now=datetime.now(UTC))
    asked = "" if after_s is None else f"; it asks to come back in {after_s:.0f} s"
    return TemporarilyFailed(
        answer.said + asked,
        code="S1-R10",
        hint="look at the registry's log and at its disk, then run the command again",
        after_s=after_s,
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
        words = f"{error['code']} {error['message']}"
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    number = _errno(body)
    return words + (f" ({os.strerror(number)})" if number else "")


def _errno(body: bytes) -> int | None:
    """Find the system's error number where CNCF Distribution tells it, as a number or in words."""
    try:
        detail = json.loads(body)["errors"][0]["detail"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if isinstance(detail, str):
        words = detail.rpartition(": ")[2]
        return next((n for n in FULL if os.strerror(n).lower() == words), None)
    inner = detail.get("Enclosed", detail) if isinstance(detail, dict) else None
    number = inner.get("Err") if isinstance(inner, dict) else None
    return number if isinstance(number, int) and number in errno.errorcode else None
