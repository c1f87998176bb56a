"""The WSGI application."""

import logging
import time

from flask import Flask, Response, g, jsonify, request
from sqlalchemy import exc
from werkzeug.exceptions import HTTPException

from console.database import Database
from console.events import make_events
from console.health import make_health
from console.release import APIS, VERSION

log = logging.getLogger("console")
QUIET = ("/health/", "/version")


def make_app(database: Database) -> Flask:
    """Return console on a database; it connects when the first request needs it."""
    app = Flask("console")
    app.config["MAX_CONTENT_LENGTH"] = 2**20
    app.json.sort_keys = False  # type: ignore[attr-defined]
    for api in APIS:
        app.register_blueprint(make_events(database, api))
    app.register_blueprint(make_health(database))
    app.before_request(_start)
    app.after_request(_finish)
    app.register_error_handler(HTTPException, _refused)
    for kind in (exc.OperationalError, exc.InterfaceError, exc.TimeoutError):
        app.register_error_handler(kind, _away)
    return app


def _start() -> None:
    g.started = time.monotonic()


def _finish(response: Response) -> Response:
    response.headers["X-Console-Version"] = VERSION
    if not request.path.startswith(QUIET):
        fields = {
            "method": request.method,
            "path": request.path,
            "status": response.status_code,
            "ms": round((time.monotonic() - g.started) * 1000, 1),
        }
        log.info("request", extra={"fields": fields})
    return response


def _refused(error: HTTPException) -> tuple[Response, int]:
    return jsonify(error=error.description), error.code or 500


def _away(error: Exception) -> tuple[Response, int, dict[str, str]]:
    log.warning("database away", extra={"fields": {"cause": type(error).__name__}})
    return jsonify(error="the database does not answer"), 503, {"Retry-After": "1"}
