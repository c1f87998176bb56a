"""What is masked for its name: in documents by their structure, in texts by their look. Pure."""

import re
from collections import Counter
from typing import Any

from s1ctl.masking.rules import MASK

RULE = "key"
_WORDS = (
    r"pass(?:wd|word|phrase|code)?|pwd|secret|token|api[_-]?key|access[_-]?key|auth|credential"
    r"|private|cookie|session|salt|dsn|webhook|conn(?:ection)?[_-]?str(?:ing)?"
)
_WORD = re.compile(_WORDS)
_INNOCENT = re.compile(
    r"tokeniz|authors?$|authori[tz]|authentic|pass(ed|es|ing|ive|age|fail)|compass|bypass|private_?ip"
    r"|(agent|policy|method|encryption|timeouts?|role|libraries|count|names?|version|length"
    r"|type|kind|mode|port|file|path|dir|source|scheme)$",
    re.IGNORECASE,
)
_PLAIN = re.compile(
    r"(true|false|null|none|yes|no|on|off|pass|fail|warn|skip|error|\*+|<\*\*\*>|cmd|(env|file):\S+|[{\[|>]?)[,;]?",
    re.IGNORECASE,
)
_TAIL = re.compile(r"[\w.-]{0,40}")
_BEFORE = re.compile(r"[\w.-]{0,40}\Z")
_WORD_CHARS = r"[^\s\"',;}\]]+"
_IS = r"[\"']?\s*[:=]\s*[\"']?"
_THEN = r"[\"']?\s*,?\s*[\"']?"
_LINE_START = re.compile(r"(?:^|\n)[ \t]*(?:-[ \t]+)?\Z")
_TO_LINE_END = re.compile(r":[ \t]+(?P<secret>[^\s\n][^\n]*)")
_IN_QUOTES = re.compile(r"=(?P<secret>[^\"'\n]+)[\"']")
# What follows the name: quoted as in JSON or Python, also within a JSON string; a number; NAME="…";
# NAME=word; NAME: word; and a value beside a name.
_AFTER = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"\\?[\"']\s*(?::|=>|=)\s*(?P<q>\\?[\"'])(?P<secret>[^\n]*?)(?<!\\)(?P=q)",
        r"\\?[\"']\s*:\s*(?P<secret>\d{4,})",
        r"\s?=\s?(?P<q>[\"'])(?P<secret>[^\n]*?)(?P=q)",
        r"\s?=\s?(?P<secret>[^\s\"']+)",
        rf":[ \t]?(?P<secret>{_WORD_CHARS})",
        rf"{_THEN}value{_IS}(?P<secret>{_WORD_CHARS})",
    )
)
_NAME_BEFORE = re.compile(rf"\bname{_IS}\Z", re.IGNORECASE)
_VALUE_BEFORE = re.compile(
    rf"\bvalue{_IS}(?P<secret>{_WORD_CHARS}){_THEN}name{_IS}\Z", re.IGNORECASE
)
_PAIR_CHARS = 300


def is_sensitive(key: str) -> bool:
    """Say whether what has this name is likely to be a secret."""
    return bool(_WORD.search(key.lower())) and not _INNOCENT.search(key)


def mask_document(data: Any, counts: Counter[str]) -> Any:
    """Mask the values of sensitive names in plain data, at any depth."""
    if isinstance(data, dict):
        names = [data.get(word) for word in ("name", "Name", "key", "Key")]
        is_pair = any(isinstance(name, str) and is_sensitive(name) for name in names)
        return {key: _masked(key, value, counts, is_pair=is_pair) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return _items(data, counts)
    return data


def mask_text(text: str, counts: Counter[str]) -> str:
    """Mask the values of sensitive names in lines of any format; needs time as the text is long."""
    lower = text.lower()
    if len(lower) != len(text):  # a letter that has no single small one: only ASCII counts then
        lower = "".join(c.lower() if c.isascii() else c for c in text)
    parts, done = [], 0
    for word in _WORD.finditer(lower):
        if word.start() >= done and (span := _value_span(text, *word.span())) is not None:
            start, end = span
            if start >= done:
                parts += [text[done:start], MASK]
                done = end
                counts[RULE] += 1
    return "".join([*parts, text[done:]]) if parts else text


def _masked(key: str, value: Any, counts: Counter[str], *, is_pair: bool) -> Any:
    is_wanted = is_sensitive(key) or (is_pair and key.lower() == "value")
    if not is_wanted or isinstance(value, dict):
        return mask_document(value, counts)
    if isinstance(value, list | tuple):
        return [_leaf(item, counts) if isinstance(item, str) else item for item in value]
    return _leaf(value, counts)


def _leaf(value: Any, counts: Counter[str]) -> Any:
    is_number = isinstance(value, int) and not isinstance(value, bool) and value > 999
    if (isinstance(value, str) and not _PLAIN.fullmatch(value)) or is_number:
        counts[RULE] += 1
        return MASK
    return value


def _items(items: Any, counts: Counter[str]) -> list[Any]:
    """Mask also what follows an option such as `--password` in a list of arguments."""
    made: list[Any] = []
    for before, item in zip([None, *items], items, strict=False):
        is_option = isinstance(before, str) and before.startswith("-") and "=" not in before
        if is_option and isinstance(item, str) and is_sensitive(str(before)):
            made.append(_leaf(item, counts))
        else:
            made.append(mask_document(item, counts))
    return made


def _value_span(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Find where the value of a name stands, of which a word is at `start` to `end`."""
    before = _BEFORE.search(text, max(0, start - 40), start)
    tail = _TAIL.match(text, end)
    first = before.start() if before else start
    last = tail.end() if tail else end
    if _INNOCENT.search(text[first:last]):
        return None
    match = _value_match(text, first, last)
    if match is None or _PLAIN.fullmatch(match["secret"].strip()):
        return None
    return match.span("secret")


def _value_match(text: str, first: int, last: int) -> re.Match[str] | None:
    """Try what may stand round a name, from the most to the least telling."""
    if text[last : last + 1] == ":" and _LINE_START.search(text, max(0, first - 80), first):
        return _TO_LINE_END.match(text, last)
    if text[first - 1 : first] in ('"', "'") and (found := _IN_QUOTES.match(text, last)):
        return found
    for form in _AFTER[:-1]:
        if found := form.match(text, last):
            return found
    left = max(0, first - _PAIR_CHARS)
    is_named = _NAME_BEFORE.search(text, left, first)
    if is_named and (found := _AFTER[-1].match(text, last)):
        return found
    return _VALUE_BEFORE.search(text, left, first)
