"""What makes this release 2.1.0: it is broken on purpose.

It reads the column `region`, which no migration makes. So its first query fails, it never becomes
ready, and gets no traffic. Else it is 2.0.0.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from console.api import Api
from console.columns import Base, EventColumns
from sqlalchemy.orm import Mapped

VERSION = "2.1.0"
HIGH_FROM = 4


class Event(EventColumns, Base):
    """A row of the events table."""

    __tablename__ = "events"
    message: Mapped[str]
    severity: Mapped[str]
    source: Mapped[str]
    region: Mapped[str]  # forgotten: there is no revision that adds it


UNFILLED = Event.message.is_(None)


def values_of(*, key: UUID, level: int, text: str, source: str = "unknown") -> dict[str, Any]:
    """Return what is written for an event."""
    severity = "high" if level >= HIGH_FROM else "low"
    return {
        "key": key,
        "level": level,
        "message": text,
        "severity": severity,
        "source": source,
    }


def document_of(event: Event) -> dict[str, Any]:
    """Return what API v1 says of an event, for clients that are older than this release."""
    return {**_head(event), "text": event.message, "created_at": event.created_at.isoformat()}


def document_v2_of(event: Event) -> dict[str, Any]:
    """Return what API v2 says of an event."""
    return {
        **_head(event),
        "message": event.message,
        "source": event.source,
        "region": event.region,
        "created_at": event.created_at.isoformat(),
    }


def _head(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "key": str(event.key),
        "level": event.level,
        "severity": event.severity,
    }


def conditions_of(arguments: Mapping[str, str]) -> list[Any]:
    """Return what the query string asks of events: `severity=high`, `source=NAME`."""
    columns = {"severity": Event.severity, "source": Event.source}
    return [column == arguments[name] for name, column in columns.items() if name in arguments]


APIS = (
    Api(version="v1", text="text", document_of=document_of),
    Api(version="v2", text="message", more=("source",), document_of=document_v2_of),
)
