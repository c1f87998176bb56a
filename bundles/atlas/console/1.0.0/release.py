"""What makes this release 1.0.0."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from console.api import Api
from console.columns import Base, EventColumns
from sqlalchemy import false
from sqlalchemy.orm import Mapped

VERSION = "1.0.0"


class Event(EventColumns, Base):
    """A row of the events table."""

    __tablename__ = "events"
    text: Mapped[str]


UNFILLED = false()


def values_of(*, key: UUID, level: int, text: str) -> dict[str, Any]:
    """Return what is written for an event."""
    return {"key": key, "level": level, "text": text}


def document_of(event: Event) -> dict[str, Any]:
    """Return what the API says of an event."""
    return {
        "id": event.id,
        "key": str(event.key),
        "level": event.level,
        "text": event.text,
        "created_at": event.created_at.isoformat(),
    }


def conditions_of(_arguments: Mapping[str, str]) -> list[Any]:
    """Return what the query string asks of events."""
    return []


APIS = (Api(version="v1", text="text", document_of=document_of),)
