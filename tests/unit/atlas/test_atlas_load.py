import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType

import pytest

Script = Callable[[str], ModuleType]


def test_a_refused_connection_is_a_failed_request(script: Script) -> None:
    module = script("load")
    load = module.Load(module.Client("http://127.0.0.1:9"), 200)
    load.run(threading.Event(), None, 0.1)
    result = load.result()
    assert result["requests"] > 0
    assert result["failed"] == result["requests"]
    assert result["written"] == 0
    assert 0 < len(result["first_errors"]) <= module.ERRORS_SHOWN


def test_an_error_of_the_server_is_a_failed_request_and_no_acknowledged_row(script: Script) -> None:
    module = script("load")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        load = module.Load(module.Client(f"http://127.0.0.1:{server.server_port}"), 100)
        load.run(threading.Event(), None, 0.1)
    finally:
        server.shutdown()
        server.server_close()
    assert load.result()["failed"] == load.result()["requests"]
    assert load.keys == []


def test_it_stops_when_told(script: Script) -> None:
    module = script("load")
    stop = threading.Event()
    stop.set()
    load = module.Load(module.Client("http://127.0.0.1:9"), 50)
    load.run(stop, None, 60)
    assert load.result()["requests"] == 0


def test_a_url_that_is_not_http_is_refused(script: Script) -> None:
    with pytest.raises(SystemExit):
        script("load").Client("ftp://127.0.0.1")


class Refusing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(503)

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass
