"""What is masked wherever it stands: patterns of secrets that nobody told us. Pure."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MASK = "<***>"  # shorter than any known value that is looked for, so it never holds one


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A pattern whose group `secret` is masked; a strong one counts in the leak gate too.

    One of `signs`, in small letters, is in every text that it matches: they are found much faster.
    """

    name: str
    signs: tuple[str, ...]
    pattern: re.Pattern[str]
    is_strong: bool = True
    is_secret: Callable[[str], bool] = lambda _: True

    def find(self, text: str) -> "Iterator[re.Match[str]]":
        """Yield the matches that hold something that is not masked."""
        lower = text.lower()
        if not any(sign in lower for sign in self.signs):
            return
        for match in self.pattern.finditer(text):
            found = match["secret"]
            if found != MASK and self.is_secret(found):
                yield match


def _is_basic(text: str) -> bool:
    """Tell `user:password` in base64 from a word."""
    try:
        return b":" in base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return False


def _is_token(text: str) -> bool:
    """Tell a token from a word: it has letters and digits."""
    return any(c.isdigit() for c in text) and any(c.isalpha() for c in text)


_TOKENS = (
    r"(?:A3T[A-Z0-9]|AKIA|ASIA|AGPA|AIDA|AROA)[A-Z0-9]{16}"
    r"|AIza[\w-]{35}|ya29\.[\w.-]{20,}"
    r"|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{40,}|glpat-[\w-]{20,}"
    r"|xox[abposr]-[\w-]{10,}|npm_[A-Za-z0-9]{36}|SG\.[\w-]{16,}\.[\w-]{16,}"
    r"|AGE-SECRET-KEY-1[A-Z0-9]{50,}|hvs\.[\w-]{20,}|sk_live_\w{16,}"
)
_TOKEN_SIGNS = (
    "a3t", "akia", "asia", "agpa", "aida", "aroa", "aiza", "ya29.", "ghp_", "gho_", "ghu_", "ghs_",
    "ghr_", "github_pat_", "glpat-", "xox", "npm_", "sg.", "age-secret-key-", "hvs.", "sk_live_",
)  # fmt: skip
RULES = (
    Rule(
        name="jwt",
        signs=("eyj",),
        pattern=re.compile(r"\b(?P<secret>eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*)"),
    ),
    Rule(
        name="private-key",
        signs=("private key",),
        pattern=re.compile(
            r"(?P<secret>-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----.*?"
            r"(?:-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----|$))",
            re.DOTALL,
        ),
    ),
    Rule(  # the beginning was cut off
        name="private-key",
        signs=("private key-----", "private key block-----"),
        pattern=re.compile(
            r"^(?P<secret>(?:(?![^\n]*-----BEGIN )[^\n]*\n){0,200}?"
            r"[^\n]*?-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----)",
            re.MULTILINE,
        ),
    ),
    Rule(
        name="url-password",
        signs=("://",),
        pattern=re.compile(r"://[^\s/:@\"]*:(?P<secret>[^\s\"]{1,256})@(?!sha256:)"),
    ),
    Rule(
        name="bearer",
        signs=("bearer",),
        pattern=re.compile(r"\bBearer\s+(?P<secret>[\w+/=.~-]{16,})", re.IGNORECASE),
        is_secret=_is_token,
    ),
    Rule(
        name="basic",
        signs=("basic",),
        pattern=re.compile(r"\bBasic\s+(?P<secret>[A-Za-z0-9+/]{8,}={0,2})", re.IGNORECASE),
        is_secret=_is_basic,
    ),
    Rule(
        name="sql-password",
        signs=("password", "identified"),
        pattern=re.compile(
            r"\b(?:PASSWORD|IDENTIFIED\s+BY)\s+E?'(?P<secret>(?:[^'\n]|'')+)'", re.IGNORECASE
        ),
    ),
    Rule(name="cloud-token", signs=_TOKEN_SIGNS, pattern=re.compile(rf"\b(?P<secret>{_TOKENS})")),
    Rule(
        name="cookie",
        signs=("cookie",),
        pattern=re.compile(r"\bcookie:[ \t]*(?P<secret>[^\n\"]+)", re.IGNORECASE),
    ),
    Rule(
        name="argument",
        signs=("-pass", "-token", "-secret", "-api", "-auth", "-credential"),
        pattern=re.compile(
            r"--?(?:password|passwd|passphrase|token|secret|api-?key|auth|credentials?)"
            r"(?:=|\s+|[\"'],\s*[\"'])(?P<secret>(?!-)[^\s\"']+)",
            re.IGNORECASE,
        ),
        is_strong=False,
    ),
    Rule(
        name="argument",
        signs=("mysql", "mongo", "sshpass", "mariadb"),
        pattern=re.compile(
            r"\b(?:mysql|mongo|sshpass|mariadb)[\w-]*\b[^\n]{0,200}?\s-p\s?(?P<secret>[^\s\"'-][^\s\"']*)"
        ),
        is_strong=False,
    ),
    Rule(
        name="near-word",
        signs=("pass", "secret", "token", "api"),
        pattern=re.compile(
            r"\b(?:passwords?|passwd|passphrase|secret|token|api[_ -]?key)\W{1,4}(?:is\W|was\W)?"
            r"\W{0,2}(?P<secret>[A-Za-z0-9+/_=-]{20,})",
            re.IGNORECASE,
        ),
        is_strong=False,
        is_secret=_is_token,
    ),
)
STRONG = tuple(rule for rule in RULES if rule.is_strong)
