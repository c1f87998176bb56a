"""What the events table has in every release; each release's own module adds to it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Identity, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Base of the mapped classes; tables are made by migrations, never from here."""


class EventColumns:
    """An event; `key` is chosen by the client, so that it may send an event twice."""

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    key: Mapped[UUID]
    level: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
