"""`/health/live`, `/health/ready`, `/version`."""

import gevent
from flask import Blueprint, Response, jsonify
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from console.database import Database
from console.release import VERSION, Event

READY_S = 2.0


def make_health(database: Database) -> Blueprint:
    """Return the blueprint with the paths that tell how console is."""
    health = Blueprint("health", __name__)

    @health.get("/health/live")
    def live() -> Response:
        return jsonify(live=True)

    @health.get("/health/ready")
    def ready() -> tuple[Response, int]:
        cause = why_not_ready(database)
        if cause is None:
            return jsonify(ready=True), 200
        return jsonify(ready=False, cause=cause), 503

    @health.get("/version")
    def version() -> Response:
        return jsonify(version=VERSION)

    return health


def why_not_ready(database: Database) -> str | None:
    """Read from the tables as a request would; return what hindered it, within the deadline."""
    query = select(Event).limit(1)
    try:
        with gevent.Timeout(READY_S):
            database.fill()
            database.run(lambda session: session.scalars(query).first())
    except gevent.Timeout:
        return f"the database did not answer in {READY_S:g} s"
    except SQLAlchemyError as error:
        return f"the database: {_first_line(error)}"
    return None


def _first_line(error: SQLAlchemyError) -> str:
    """Return what the database itself said, without the query."""
    said = str(getattr(error, "orig", "")).strip().splitlines()
    return said[0] if said else type(error).__name__
