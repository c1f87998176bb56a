"""What makes this release 1.1.0: an event has a severity, also where it was not written yet."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from console.api import Api
from console.columns import Base, EventColumns
from sqlalchemy import and_, or_
from sqlalchemy.orm import Mapped

VERSION = "1.1.0"
HIGH_FROM = 4


class Event(EventColumns, Base):
    """A row of the events table; `severity` is None until the row was filled in."""

    __tablename__ = "events"
    text: Mapped[str]
    severity: Mapped[str | None]


UNFILLED = Event.severity.is_(None)


def severity_of(level: int) -> str:
    """Return the severity of a level."""
    return "high" if level >= HIGH_FROM else "low"


def values_of(*, key: UUID, level: int, text: str) -> dict[str, Any]:
    """Return what is written for an event."""
    return {"key": key, "level": level, "text": text, "severity": severity_of(level)}


def document_of(event: Event) -> dict[str, Any]:
    """Return what the API says of an event."""
    return {
        "id": event.id,
        "key": str(event.key),
        "level": event.level,
        "severity": event.severity or severity_of(event.level),
        "text": event.text,
        "created_at": event.created_at.isoformat(),
    }


def conditions_of(arguments: Mapping[str, str]) -> list[Any]:
    """Return what the query string asks of events: `severity=high`."""
    wanted = arguments.get("severity")
    if wanted is None:
        return []
    level = Event.level >= HIGH_FROM if wanted == "high" else Event.level < HIGH_FROM
    return [or_(Event.severity == wanted, and_(UNFILLED, level))]


APIS = (Api(version="v1", text="text", document_of=document_of),)
