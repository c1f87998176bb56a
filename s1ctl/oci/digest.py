"""A content digest."""

import hashlib
import re
from typing import Self

_FORM = re.compile(r"sha256:[0-9a-f]{64}")


class Digest(str):
    """`sha256:` and 64 lower-case hexadecimal digits (OCI image spec, descriptor, "Digests")."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Parse `text`; raises `ValueError` for any other algorithm, case or length."""
        if not _FORM.fullmatch(text):
            raise ValueError(f"`{text[:80]}` is not a sha256 digest")
        return super().__new__(cls, text)

    @classmethod
    def of(cls, raw: bytes) -> Self:
        """Make the digest of `raw`."""
        return cls("sha256:" + hashlib.sha256(raw).hexdigest())

    @property
    def hex(self) -> str:
        """The 64 digits without the algorithm."""
        return self[7:]
