"""What a registry asks for with a 401: Basic, or a Bearer token from its token endpoint."""

import json
import re
from dataclasses import dataclass
from urllib.parse import urlencode

_PARAMETER = re.compile(r'\s*,?\s*([A-Za-z0-9_-]{1,64})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A challenge (RFC 9110, 11.6.1); `scheme` is in lower case, `realm` the token endpoint."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""

    def token_url(self, more_scopes: tuple[str, ...] = ()) -> str:
        """Make the address at which the token is asked for (distribution spec, "token")."""
        scopes = [scope for scope in (self.scope, *more_scopes) if scope]
        query = [("service", self.service)] if self.service else []
        query += [("scope", scope) for scope in scopes]
        return self.realm + ("&" if "?" in self.realm else "?") + urlencode(query)


def parse_challenge(header: str | None) -> Challenge | None:
    """Read a `WWW-Authenticate` header; None for what is neither Basic nor Bearer."""
    scheme, _, rest = (header or "").strip().partition(" ")
    if scheme.lower() == "basic":
        return Challenge(scheme="basic")
    if scheme.lower() != "bearer":
        return None
    found = {
        name.lower(): re.sub(r"\\(.)", r"\1", quoted) or bare
        for name, quoted, bare in _PARAMETER.findall(rest[:4096])
    }
    return Challenge(
        scheme="bearer",
        realm=found.get("realm", ""),
        service=found.get("service", ""),
        scope=found.get("scope", ""),
    )


def parse_token(raw: bytes) -> str | None:
    """Take the token out of a token endpoint's answer; None where there is none."""
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    found = data.get("token") or data.get("access_token") if isinstance(data, dict) else None
    is_token = isinstance(found, str) and re.fullmatch(r"[\x21-\x7e]+", found)
    return found if is_token else None
