"""What differs between the versions of the API; each release says which ones it answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One version: `text` is its name for an event's text, `more` what else a client may send."""

    version: str
    text: str
    more: tuple[str, ...] = ()
    document_of: Callable[[Any], dict[str, Any]]
