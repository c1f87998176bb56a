"""`/api/v1/events`."""

from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, Response, abort, jsonify, request
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from console.database import Database
from console.release import Event, conditions_of, document_of, values_of

LEVELS = range(8)
TEXT_LENGTH = 10_000
LIMIT = 500


def make_events(database: Database) -> Blueprint:
    """Return the blueprint with the paths of events."""
    events = Blueprint("events", __name__, url_prefix="/api/v1/events")

    @events.post("")
    def add() -> tuple[Response, int]:
        values = values_of(**_read_event(request.get_json()))
        document, is_new = database.run(lambda session: _add(session, values))
        return jsonify(document), 201 if is_new else 200

    @events.get("")
    def newest() -> Response:
        limit = max(1, min(request.args.get("limit", 50, int), LIMIT))
        conditions = conditions_of(request.args)
        query = select(Event).where(*conditions).order_by(Event.id.desc()).limit(limit)
        found = database.run(lambda session: [document_of(row) for row in session.scalars(query)])
        return jsonify(events=found)

    @events.get("/<int:number>")
    def one(number: int) -> Response:
        return _found(database, Event.id == number)

    @events.get("/by-key/<uuid:key>")
    def by_key(key: UUID) -> Response:
        return _found(database, Event.key == key)

    @events.get("/count")
    def count() -> Response:
        query = select(func.count()).select_from(Event)
        return jsonify(count=database.run(lambda session: session.scalar(query)))

    @events.post("/lookup")
    def lookup() -> Response:
        keys = _read_keys(request.get_json())
        query = select(Event.key).where(Event.key.in_(keys))
        return jsonify(
            found=database.run(lambda session: [str(key) for key in session.scalars(query)])
        )

    return events


def _read_event(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict) or not body.keys() <= {"key", "level", "text"}:
        abort(400, "an event has `level`, `text` and, if you like, `key`")
    level, text = body.get("level"), body.get("text")
    if not isinstance(level, int) or isinstance(level, bool) or level not in LEVELS:
        abort(400, f"`level` is a number from {LEVELS.start} to {LEVELS.stop - 1}")
    if not isinstance(text, str) or not 0 < len(text) <= TEXT_LENGTH or "\0" in text:
        abort(400, f"`text` has 1 to {TEXT_LENGTH} characters")
    return {
        "key": _read_key(body["key"]) if "key" in body else uuid4(),
        "level": level,
        "text": text,
    }


def _read_key(text: object) -> UUID:
    try:
        return UUID(str(text))
    except ValueError:
        abort(400, "a `key` is a UUID")


def _read_keys(body: Any) -> list[UUID]:
    keys = body.get("keys") if isinstance(body, dict) else None
    if not isinstance(keys, list) or len(keys) > LIMIT:
        abort(400, f"`keys` is a list of at most {LIMIT}")
    return [_read_key(key) for key in keys]


def _add(session: Session, values: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Insert, or find what was inserted under the same key; so it may be repeated."""
    statement = insert(Event).values(values).on_conflict_do_nothing(index_elements=["key"])
    added = session.scalars(statement.returning(Event)).one_or_none()
    if added is not None:
        return document_of(added), True
    query = select(Event).where(Event.key == values["key"])
    return document_of(session.scalars(query).one()), False


def _found(database: Database, condition: Any) -> Response:
    query = select(Event).where(condition)

    def find(session: Session) -> dict[str, Any] | None:
        row = session.scalars(query).one_or_none()
        return None if row is None else document_of(row)

    document = database.run(find)
    if document is None:
        abort(404, "no such event")
    return jsonify(document)
