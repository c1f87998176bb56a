"""Names of images: repository, tag and reference, by the grammar of the OCI distribution spec."""

import re
from dataclasses import dataclass

from s1ctl.errors import ContentsRefused
from s1ctl.oci.digest import Digest

MAX_REPOSITORY = 255
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReference:
    """An image by digest in a registry; `host` is `HOST:PORT`."""

    host: str
    repository: str
    digest: Digest

    def __post_init__(self) -> None:
        check_repository(self.repository)

    def __str__(self) -> str:
        return f"{self.host}/{self.repository}@{self.digest}"


def check_repository(text: str) -> str:
    """Hand back `text` if it names a repository (distribution spec, "Pulling manifests").

    Raises `ContentsRefused` S1-C40: capitals, `..`, `@`, empty parts, over 255 characters.
    """
    if len(text) > MAX_REPOSITORY or not _REPOSITORY.fullmatch(text):
        raise ContentsRefused(
            f"{_shown(text)} does not name a repository",
            code="S1-C40",
            hint="name it with lower-case letters, digits and single `.`, `_`, `-` or `/` between",
        )
    return text


def check_tag(text: str) -> str:
    """Hand back `text` if it is a tag. Raises `ContentsRefused` S1-C41."""
    if not _TAG.fullmatch(text):
        raise ContentsRefused(
            f"{_shown(text)} is not a tag",
            code="S1-C41",
            hint="write a tag with up to 128 letters, digits, `.`, `_` and `-`",
        )
    return text


def _shown(text: str) -> str:
    return f"`{text[:80].encode('unicode_escape').decode('ascii')}`"
