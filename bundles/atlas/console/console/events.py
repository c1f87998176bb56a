"""`/api/VERSION/events`, in each version of the API that this release answers."""

from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, Response, abort, jsonify, request
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from console.api import Api
from console.database import Database
from console.release import Event, conditions_of, values_of

LEVELS = range(8)
TEXT_LENGTH = 10_000
MORE_LENGTH = 100
LIMIT = 500


def make_events(database: Database, api: Api) -> Blueprint:
    """Return the blueprint with the paths of events in one version of the API."""
    events = Blueprint(f"events-{api.version}", __name__, url_prefix=f"/api/{api.version}/events")

    @events.post("")
    def add() -> tuple[Response, int]:
        values = values_of(**_read_event(request.get_json(), api))
        document, is_new = database.run(lambda session: _add(session, values, api))
        return jsonify(document), 201 if is_new else 200

    @events.get("")
    def newest() -> Response:
        limit = max(1, min(request.args.get("limit", 50, int), LIMIT))
        conditions = conditions_of(request.args)
        query = select(Event).where(*conditions).order_by(Event.id.desc()).limit(limit)
        found = database.run(lambda session: [api.document_of(e) for e in session.scalars(query)])
        return jsonify(events=found)

    @events.get("/<int:number>")
    def one(number: int) -> Response:
        return _found(database, Event.id == number, api)

    @events.get("/by-key/<uuid:key>")
    def by_key(key: UUID) -> Response:
        return _found(database, Event.key == key, api)

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


def _read_event(body: Any, api: Api) -> dict[str, Any]:
    others = ("key", *api.more)
    if not isinstance(body, dict) or not body.keys() <= {"level", api.text, *others}:
        abort(400, f"an event has `level`, `{api.text}` and, if you like, `{'`, `'.join(others)}`")
    level = body.get("level")
    if not isinstance(level, int) or isinstance(level, bool) or level not in LEVELS:
        abort(400, f"`level` is a number from {LEVELS.start} to {LEVELS.stop - 1}")
    return {
        "key": _read_key(body["key"]) if "key" in body else uuid4(),
        "level": level,
        "text": _read_text(body, api.text, TEXT_LENGTH),
        **{name: _read_text(body, name, MORE_LENGTH) for name in api.more if name in body},
    }


def _read_text(body: dict[str, Any], name: str, length: int) -> str:
    text = body.get(name)
    if not isinstance(text, str) or not 0 < len(text) <= length or "\0" in text:
        abort(400, f"`{name}` has 1 to {length} characters")
    return text


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


def _add(session: Session, values: dict[str, Any], api: Api) -> tuple[dict[str, Any], bool]:
    """Insert, or find what was inserted under the same key; so it may be repeated."""
    statement = insert(Event).values(values).on_conflict_do_nothing(index_elements=["key"])
    added = session.scalars(statement.returning(Event)).one_or_none()
    if added is not None:
        return api.document_of(added), True
    query = select(Event).where(Event.key == values["key"])
    return api.document_of(session.scalars(query).one()), False


def _found(database: Database, condition: Any, api: Api) -> Response:
    query = select(Event).where(condition)

    def find(session: Session) -> dict[str, Any] | None:
        row = session.scalars(query).one_or_none()
        return None if row is None else api.document_of(row)

    document = database.run(find)
    if document is None:
        abort(404, "no such event")
    return jsonify(document)
