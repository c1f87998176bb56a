"""Mask a text: known values first, then what its name or its shape gives away. No I/O."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from s1ctl.masking.encodings import forms_of
from s1ctl.masking.keys import mask_text
from s1ctl.masking.rules import MASK, RULES, STRONG, Rule

KNOWN = "known-value"
PASSES = 5
KEY_LINES = 200
_BEGIN = re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----")


class Known:
    """The forms of all known secrets: found by plain search, the longest first."""

    def __init__(self, forms: Iterable[str]) -> None:
        self._forms = sorted(set(forms), key=lambda form: (-len(form), form))

    def __len__(self) -> int:
        return len(self._forms)

    def is_in(self, text: str) -> bool:
        """Say whether any stands in `text`."""
        return any(form in text for form in self._forms)

    def mask(self, text: str) -> tuple[str, int]:
        """Mask each, and say how many were there."""
        there = [form for form in self._forms if form in text]
        if not there:
            return text, 0
        return re.subn("|".join(map(re.escape, there)), MASK, text)


class Redactor:
    """Masks texts; makes a `Stream` for each file, since a key may span what is read at once."""

    def __init__(self, known: Known) -> None:
        self.known = known

    def line(self, text: str, counts: Counter[str]) -> str:
        """Mask a text that stands for itself, such as a file's name."""
        text, found = self.known.mask(text)
        counts[KNOWN] += found
        text = _mask_rules(RULES, mask_text(text, counts), counts)
        for _ in range(PASSES):  # a mask may bring together what then looks like a secret
            if not any(match for rule in STRONG for match in rule.find(text)):
                break
            text = _mask_rules(STRONG, text, counts)
        return text

    def leak(self, text: str) -> str | None:
        """Name the rule by which `text` still holds a secret; None where it holds none."""
        if self.known.is_in(text):
            return KNOWN
        return next((r.name for r in STRONG if next(r.find(text), None)), None)


class Stream:
    """Masks the blocks of one file, each of whole lines, in their order."""

    def __init__(self, redactor: Redactor) -> None:
        self.counts: Counter[str] = Counter()
        self._redactor = redactor
        self._key_lines = 0

    def mask(self, block: str) -> str:
        """Mask one block."""
        if self._key_lines or (_BEGIN.search(block) and not _is_closed(block)):
            block = "".join(self._without_keys(block))
        return self._redactor.line(block, self.counts)

    def _without_keys(self, block: str) -> Iterator[str]:
        """Leave out the lines of private keys, also of one that another block goes on with."""
        for line in block.splitlines(keepends=True):
            if self._key_lines:
                self._key_lines = 0 if _END.search(line) else self._key_lines - 1
                continue
            begin = _BEGIN.search(line)
            if begin and not _END.search(line):
                self._key_lines = KEY_LINES
                self.counts["private-key"] += 1
                yield f"{line[: begin.start()]}{MASK}\n"
            else:
                yield line


def masked(text: str, *values: str) -> str:
    """Mask these values, and what looks like a secret, in a text that others said.

    Mask before cutting a text: half of a secret is not found.
    """
    forms = {form for value in values for form in forms_of(value)}
    return masked_by(Known(forms), text)


def masked_by(known: Known, text: str) -> str:
    """Mask what is known, and what looks like a secret, in a text that others said."""
    return Stream(Redactor(known)).mask(text)


def _is_closed(block: str) -> bool:
    return len(_BEGIN.findall(block)) == len(_END.findall(block))


def _mask_rules(rules: Iterable[Rule], text: str, counts: Counter[str]) -> str:
    for rule in rules:
        matches = list(rule.find(text))
        for match in reversed(matches):
            start, end = match.span("secret")
            text = text[:start] + MASK + text[end:]
        if matches:
            counts[rule.name] += len(matches)
    return text
