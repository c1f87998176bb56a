"""The forms in which a known secret may stand in a text. Pure."""

import base64
import html
import json
import re
import shlex
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote

LEAST_CHARS = 6  # a shorter value stands in too many innocent words
_URL_PASSWORD = re.compile(r"://[^\s/:@]*:(\S+)@")
_DSN_PASSWORD = re.compile(r"(?:^|[\s?&])password=('(?:[^'\\]|\\.)*'|[^\s&]+)", re.IGNORECASE)


def forms_of(value: str | bytes) -> frozenset[str]:
    """List every form of a secret that is worth looking for: each on one line, 6 chars at least.

    A secret of several lines counts line by line too; of a connection string the password counts,
    so that host and database stay readable.
    """
    if isinstance(value, bytes):
        return _long_enough(_of_bytes(value))
    return _long_enough(form for part in _parts(value) for form in _of_text(part))


def _long_enough(forms: Iterator[str]) -> frozenset[str]:
    return frozenset(f for f in forms if len(f) >= LEAST_CHARS and "\n" not in f)


def _parts(value: str) -> Iterator[str]:
    """Yield what to look for: the password of a URL, else the whole; then its single lines."""
    passwords = [found[1] for found in _URL_PASSWORD.finditer(value)]
    passwords += [found[1].strip("'") for found in _DSN_PASSWORD.finditer(value)]
    wholes = [p for p in passwords if len(p) >= LEAST_CHARS] or [value]
    for whole in wholes:
        yield whole
        yield unquote(whole)
        yield whole.strip()
        lines = whole.splitlines()
        if len(lines) > 1:
            yield from (line.strip() for line in lines)


def _of_text(text: str) -> Iterator[str]:
    yield text
    yield from (quote(text, safe=""), quote(text), quote_plus(text))
    yield from (_lower_escapes(quote(text, safe="")), html.escape(text), repr(text)[1:-1])
    yield from _json_forms(text)
    yield from (shlex.quote(text), re.sub(r"([^A-Za-z0-9_])", r"\\\1", text))
    yield from (text.replace("'", "'\\''"), text.replace("'", "''"))
    yield re.sub(r"([\\'])", r"\\\1", text)
    yield from _of_bytes(text.encode("utf-8", "surrogateescape"))


def _json_forms(text: str) -> Iterator[str]:
    """Yield it as JSON has it, as JSON within JSON has it, and with HTML's signs escaped."""
    for is_ascii in (True, False):
        once = json.dumps(text, ensure_ascii=is_ascii)[1:-1]
        yield once
        yield json.dumps(once, ensure_ascii=is_ascii)[1:-1]
        yield re.sub("[<>&]", lambda sign: f"\\u{ord(sign[0]):04x}", once)


def _of_bytes(raw: bytes) -> Iterator[str]:
    yield from (raw.hex(), raw.hex().upper())
    for offset in range(3):
        yield from _base64_forms(raw, offset)


def _base64_forms(raw: bytes, offset: int) -> Iterator[str]:
    """Yield the characters that depend on `raw` alone, where `offset` bytes stand before it."""
    first = -(-offset * 8 // 6)
    last = (offset + len(raw)) * 8 // 6
    text = base64.b64encode(b"\0" * offset + raw).decode()[first:last]
    yield from (text, text.translate(str.maketrans("+/", "-_")))


def _lower_escapes(text: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda escape: escape[0].lower(), text)
