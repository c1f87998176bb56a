"""The server: on SIGTERM it accepts no more, finishes what runs, and ends."""

import logging
import signal
from typing import Any

import gevent
from flask import Flask
from gevent.event import Event
from gevent.pool import Pool
from gevent.pywsgi import WSGIHandler, WSGIServer

from console.config import Config

log = logging.getLogger("console")
REQUESTS = 500


class OneRequest(WSGIHandler):
    """Closes a connection after its request, so that an idle one never delays the end."""

    def read_request(self, raw_requestline: str) -> Any:
        """Read the request's head."""
        valid = super().read_request(raw_requestline)
        self.close_connection = True
        return valid


def serve(app: Flask, config: Config) -> None:
    """Serve until SIGTERM or SIGINT; requests that run may take `grace_s` more."""
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stopping.set)
    server = WSGIServer(
        (config.address, config.port),
        app,
        backlog=512,
        spawn=Pool(REQUESTS),
        handler_class=OneRequest,
        log=None,
        error_log=logging.getLogger("gevent"),
    )
    server.start()
    log.info("listening", extra={"fields": {"port": server.server_port}})
    stopping.wait()
    log.info("stopping")
    server.stop(timeout=config.grace_s)
    log.info("stopped")
