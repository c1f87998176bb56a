"""What is asked of a registry, and how long it may take."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

MAX_WORDS_BYTES = 8 << 10


class Revealable(Protocol):
    """A secret that is taken out only where it is sent."""

    def reveal(self) -> str:
        """Hand out the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. A `body` that is an iterator is sent once; `scopes` are those of its token.

    Of an answer's body `max_bytes` and one more are kept: who gets more was sent too much.
    """

    method: str
    url: str
    scopes: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterator[bytes] | None = None
    is_commit: bool = False
    max_bytes: int = MAX_WORDS_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long to wait for a connection, for the next byte, and for a sent body to be stored."""

    connect_s: float = 10
    progress_s: float = 60
    commit_s: float = 300

    def answer_s(self, call: Call) -> float:
        """Say how long the answer to `call` may take."""
        return self.commit_s if call.is_commit else self.progress_s
