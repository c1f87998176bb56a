"""Registries that misbehave: each fault has its code, and credentials stay where they belong."""

import base64
import itertools
import json
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import urllib3
from urllib3.exceptions import HTTPError

from s1ctl.errors import ContentsRefused, InputOutputFailed, S1Error
from s1ctl.oci.call import Call, Deadlines
from s1ctl.oci.digest import Digest
from s1ctl.oci.pools import translate
from s1ctl.oci.proxy import STRAIGHT
from s1ctl.oci.refusal import Answer
from s1ctl.oci.registry import Registry
from s1ctl.oci.retry import Patience, TemporarilyFailed
from s1ctl.oci.wire import Wire
from s1ctl.site.secrets import Secret
from tests.support.answers import AnswerServer, Asked, SilentServer, Told

pytestmark = pytest.mark.integration

PASSWORD = "canary-51d7-not-for-any-message"
RAW = b"hello" * 1000
DIGEST = Digest.of(RAW)
STORED = {"Docker-Content-Digest": DIGEST}
BASIC = Told(status=401, headers={"WWW-Authenticate": 'Basic realm="test"'})
SHORT = Deadlines(connect_s=2, progress_s=0.3, commit_s=0.6)


def connect(
    url: str, *, tries: int = 2, pauses: list[float] | None = None, **more: object
) -> Registry:
    arguments = {"user": "loader", "password": Secret(PASSWORD), "deadlines": SHORT} | more
    pause = (lambda _: None) if pauses is None else pauses.append
    patience = Patience(tries=tries, first_s=0.01, longest_s=60)
    return Registry(url, patience=patience, pause=pause, **arguments)  # type: ignore[arg-type]


def upload(registry: Registry) -> None:
    registry.upload_blob("a/b", DIGEST, len(RAW), [RAW])


def asks_basic(asked: Asked) -> bool:
    return "authorization" not in asked.headers


def takes_uploads(asked: Asked) -> Told:
    if asked.method == "POST":
        return Told(status=202, headers={"Location": "/upload/1"})
    return Told(status=201, headers=STORED) if asked.method == "PUT" else Told(status=204)


# Uploads


def test_a_blob_is_sent_in_one_put_with_its_length() -> None:
    with AnswerServer(takes_uploads) as server:
        upload(connect(server.url))
    (put,) = server.heard("PUT")
    assert put.body == RAW
    assert put.headers["content-length"] == str(len(RAW))
    assert put.path == "/upload/1?digest=" + DIGEST.replace(":", "%3A")


def test_an_upload_address_on_another_host_gets_no_credentials() -> None:
    def answer(asked: Asked) -> Told:
        if asks_basic(asked):
            return BASIC
        return Told(status=202, headers={"Location": f"{store.url}/upload?state=1"})

    with AnswerServer(takes_uploads) as store, AnswerServer(answer) as server:
        upload(connect(server.url))
    assert [asked.body for asked in store.asked] == [RAW]
    assert all("authorization" not in asked.headers for asked in store.asked)
    assert store.asked[0].path.startswith("/upload?state=1&digest=")
    assert "authorization" in server.asked[-1].headers


def test_another_host_that_asks_for_the_password_does_not_get_it() -> None:
    def answer(asked: Asked) -> Told:
        return BASIC if asks_basic(asked) else Told(status=202, headers={"Location": store.url})

    with AnswerServer(lambda _: BASIC) as store, AnswerServer(answer) as server:
        with pytest.raises(InputOutputFailed) as failed:
            upload(connect(server.url))
        assert failed.value.code == "S1-R06"
        assert failed.value.message.startswith(f"`{server.host}` leads on to `{store.host}`, which")
        assert all("authorization" not in asked.headers for asked in store.asked)


def test_another_digest_after_a_put_is_refused() -> None:
    def answer(asked: Asked) -> Told:
        other = {"Docker-Content-Digest": Digest.of(b"other")}
        return Told(status=201, headers=other) if asked.method == "PUT" else takes_uploads(asked)

    with AnswerServer(answer) as server:
        with pytest.raises(InputOutputFailed) as failed:
            upload(connect(server.url))
        assert failed.value.code == "S1-R14"
        with pytest.raises(InputOutputFailed) as failed:
            connect(server.url).put_manifest("a/b", "1", RAW, "text/plain")
        assert failed.value.code == "S1-R14"


def test_an_upload_without_an_address_is_refused() -> None:
    with (
        AnswerServer(lambda _: Told(status=202)) as server,
        pytest.raises(InputOutputFailed) as failed,
    ):
        upload(connect(server.url))
    assert failed.value.code == "S1-R22"


def test_a_failed_upload_is_given_up_and_begun_anew() -> None:
    numbers = itertools.count()

    def answer(asked: Asked) -> Told:
        if asked.method == "HEAD":
            return Told(status=404)
        is_first = asked.method == "PUT" and next(numbers) == 0
        return Told(status=503) if is_first else takes_uploads(asked)

    with AnswerServer(answer) as server:
        upload(connect(server.url))
    methods = [asked.method for asked in server.asked]
    assert methods == ["POST", "PUT", "DELETE", "HEAD", "POST", "PUT"]
    assert [asked.body for asked in server.heard("PUT")] == [RAW, RAW]


def test_a_blob_that_arrived_though_the_answer_did_not_is_not_sent_again() -> None:
    def answer(asked: Asked) -> Told:
        return Told(status=504) if asked.method == "PUT" else takes_uploads(asked)

    def is_there(asked: Asked) -> Told:
        return Told(headers=STORED) if asked.method == "HEAD" else answer(asked)

    with AnswerServer(is_there) as server:
        upload(connect(server.url))
    assert len(server.heard("PUT")) == 1


def test_a_stream_that_cannot_be_read_again_is_sent_once() -> None:
    def answer(asked: Asked) -> Told:
        return Told(status=503) if asked.method == "PUT" else takes_uploads(asked)

    with AnswerServer(answer) as server:
        with pytest.raises(TemporarilyFailed):
            connect(server.url).upload_blob("a/b", DIGEST, len(RAW), iter([RAW]))
        assert len(server.heard("PUT")) == 1


def test_a_stream_that_raises_at_its_end_never_sends_its_last_chunk() -> None:
    def lying() -> Iterator[bytes]:
        yield RAW[:2500]
        yield RAW[2500:]
        raise ContentsRefused("other bytes", code="S1-C10", hint="get the file again")

    bodies: list[int] = []

    def answer(asked: Asked) -> Told:
        bodies.append(len(asked.body))
        return takes_uploads(asked)

    with AnswerServer(answer) as server:
        with pytest.raises(ContentsRefused) as refused:
            connect(server.url).upload_blob("a/b", DIGEST, len(RAW), lying())
        assert refused.value.code == "S1-C10"
        assert len(RAW) not in bodies


@pytest.mark.parametrize("chunks", [[RAW, b"x"], [RAW[:-1]], []])
def test_a_stream_of_another_length_is_refused(chunks: list[bytes]) -> None:
    bodies: list[bytes] = []

    def answer(asked: Asked) -> Told:
        bodies.append(asked.body)
        return takes_uploads(asked)

    with AnswerServer(answer) as server, pytest.raises(ContentsRefused) as refused:
        connect(server.url).upload_blob("a/b", DIGEST, len(RAW), chunks)
    assert refused.value.code == "S1-C52"
    assert RAW not in bodies


def test_a_medium_that_fails_is_not_blamed_on_the_registry() -> None:
    def failing() -> Iterator[bytes]:
        yield RAW[:10]
        raise OSError(5, "Input/output error")

    with AnswerServer(takes_uploads) as server, pytest.raises(InputOutputFailed) as failed:
        connect(server.url).upload_blob("a/b", DIGEST, len(RAW), failing())
    assert failed.value.code == "S1-R19"


@pytest.mark.parametrize("status", [202, 400, 401, 403, 404, 405])
def test_a_mount_that_is_not_granted_asks_for_an_upload(status: int) -> None:
    def answer(asked: Asked) -> Told:
        headers = {"Location": "/upload/1"} if status == 202 else {}
        return Told(status=status if asked.method == "POST" else 204, headers=headers)

    with AnswerServer(answer) as server:
        assert connect(server.url).mount_blob("a/b", DIGEST, "c/d") is False
    assert "mount=sha256%3A" in server.asked[0].path
    assert len(server.heard("DELETE")) == (status == 202)


def test_a_mount_that_is_granted_needs_no_upload() -> None:
    with AnswerServer(lambda _: Told(status=201)) as server:
        assert connect(server.url).mount_blob("a/b", DIGEST, "c/d") is True


# Reading


def test_redirects_of_reads_are_followed_without_credentials_to_another_host() -> None:
    def answer(asked: Asked) -> Told:
        return BASIC if asks_basic(asked) else Told(status=307, headers={"Location": store.url})

    with AnswerServer(lambda _: Told(body=RAW)) as store, AnswerServer(answer) as server:
        assert connect(server.url).read_blob("a/b", DIGEST) == RAW
    assert [("authorization" in asked.headers) for asked in store.asked] == [False]


def test_a_circle_of_redirects_ends() -> None:
    with (
        AnswerServer(lambda asked: Told(status=302, headers={"Location": asked.path})) as server,
        pytest.raises(InputOutputFailed) as failed,
    ):
        connect(server.url).has_blob("a/b", DIGEST)
    assert failed.value.code == "S1-R22"
    assert len(server.asked) == 4


def test_a_post_is_not_redirected() -> None:
    with (
        AnswerServer(lambda _: Told(status=307, headers={"Location": "/x"})) as server,
        pytest.raises(InputOutputFailed) as failed,
    ):
        upload(connect(server.url))
    assert failed.value.code == "S1-R12"
    assert len(server.asked) == 1


@pytest.mark.parametrize("location", ["http://registry.test/x", "file:///etc/passwd", "ftp://a/b"])
def test_tls_is_never_left(location: str) -> None:
    wire = Wire(
        "https://registry.test",
        ca=None,
        user=None,
        password=None,
        proxies=STRAIGHT,
        deadlines=SHORT,
        patience=Patience(),
        pause=lambda _: None,
    )
    answer = Answer(
        method="POST",
        url="https://registry.test/v2/a/blobs/uploads/",
        status=202,
        headers={"Location": location},
        body=b"",
    )
    with pytest.raises(InputOutputFailed) as failed:
        wire.target(answer)
    assert failed.value.code == "S1-R16"


def test_a_blob_with_other_bytes_is_refused_at_its_end() -> None:
    with AnswerServer(lambda _: Told(body=b"other")) as server:
        chunks = connect(server.url).open_blob("a/b", DIGEST)
        assert next(chunks) == b"other"
        with pytest.raises(InputOutputFailed) as failed:
            next(chunks)
    assert failed.value.code == "S1-R14"


def test_a_manifest_with_other_bytes_is_refused() -> None:
    with AnswerServer(lambda _: Told(body=b"other")) as server:
        assert connect(server.url).read_manifest("a/b", "tag")[0] == b"other"
        with pytest.raises(InputOutputFailed) as failed:
            connect(server.url).read_manifest("a/b", DIGEST)
    assert failed.value.code == "S1-R14"


def test_a_digest_that_is_not_one_is_refused() -> None:
    headers = {"Docker-Content-Digest": "md5:abc"}
    with (
        AnswerServer(lambda _: Told(headers=headers)) as server,
        pytest.raises(InputOutputFailed) as failed,
    ):
        connect(server.url).has_manifest("a/b", "tag")
    assert failed.value.code == "S1-R22"


def test_a_registry_that_tells_no_digest_is_asked_for_the_manifest() -> None:
    with AnswerServer(lambda _: Told(body=RAW)) as server:
        assert connect(server.url).has_manifest("a/b", "tag") == DIGEST


@pytest.mark.parametrize("what", ["blob", "manifest"])
def test_an_endless_body_is_cut_off(what: str) -> None:
    zeros = itertools.repeat(bytes(1 << 16))
    with AnswerServer(lambda _: Told(body=zeros)) as server:
        registry = connect(server.url, deadlines=Deadlines())
        with pytest.raises(InputOutputFailed) as failed:
            registry.read_blob("a/b", DIGEST) if what == "blob" else registry.read_manifest(
                "a/b", "tag"
            )
    assert failed.value.code == "S1-R20"


def test_an_endless_error_body_is_cut_off() -> None:
    endless = itertools.repeat(b"no " * 1000)
    with (
        AnswerServer(lambda _: Told(status=418, body=endless)) as server,
        pytest.raises(InputOutputFailed) as failed,
    ):
        connect(server.url).ping()
    assert failed.value.code == "S1-R12"
    assert len(failed.value.message) < 400


def test_a_trickling_body_ends_at_the_deadline() -> None:
    def trickle() -> Iterator[bytes]:
        while True:
            yield b" "
            time.sleep(0.02)

    with (
        AnswerServer(lambda _: Told(body=trickle())) as server,
        pytest.raises(TemporarilyFailed) as failed,
    ):
        connect(server.url).read_manifest("a/b", "tag")
    assert failed.value.code == "S1-R11"


def test_a_blob_that_is_there_under_another_digest_is_not_there() -> None:
    headers = {"Docker-Content-Digest": Digest.of(b"other")}
    with AnswerServer(lambda _: Told(headers=headers)) as server:
        assert not connect(server.url).has_blob("a/b", DIGEST)


@pytest.mark.parametrize("name", ["../a", "a/../b", "A", "a?b", "a#b", "a@b", ""])
def test_names_that_are_none_are_never_sent(name: str) -> None:
    with AnswerServer(lambda _: Told()) as server:
        registry = connect(server.url)
        for act in (
            lambda: registry.has_blob(name, DIGEST),
            lambda: registry.mount_blob(name, DIGEST, "a"),
            lambda: registry.mount_blob("a", DIGEST, name),
            lambda: registry.upload_blob(name, DIGEST, 0, []),
            lambda: registry.has_manifest(name, "tag"),
            lambda: registry.has_manifest("a", f"{name}/x"),
        ):
            with pytest.raises(ContentsRefused):
                act()
        assert server.asked == []


# Waiting, and connections that break


def test_a_server_that_says_nothing_is_given_up() -> None:
    with SilentServer() as server, pytest.raises(TemporarilyFailed) as failed:
        connect(f"http://{server.host}").ping()
    assert failed.value.code == "S1-R11"
    assert "0.3 s" in failed.value.message


def test_a_body_that_is_not_stored_in_time_is_given_up() -> None:
    with SilentServer() as store:

        def answer(asked: Asked) -> Told:
            return Told(status=202, headers={"Location": f"http://{store.host}/u"})

        with AnswerServer(answer) as server, pytest.raises(TemporarilyFailed) as failed:
            upload(connect(server.url, tries=1))
    assert failed.value.code == "S1-R11"
    assert "0.6 s" in failed.value.message


def test_a_body_that_nobody_takes_is_given_up() -> None:
    with SilentServer() as store:

        def answer(asked: Asked) -> Told:
            return Told(status=202, headers={"Location": f"http://{store.host}/u"})

        size = 64 << 20
        chunks = itertools.repeat(bytes(1 << 20), 64)
        with AnswerServer(answer) as server:
            deadlines = replace(SHORT, connect_s=300)
            registry = connect(server.url, tries=1, deadlines=deadlines)
            with pytest.raises(TemporarilyFailed) as failed:
                registry.upload_blob("a/b", DIGEST, size, chunks)
    assert failed.value.code == "S1-R11"
    assert "take a chunk" in failed.value.message


def test_a_connection_that_breaks_is_told_as_such() -> None:
    with (
        AnswerServer(lambda _: Told(raw=b"")) as server,
        pytest.raises(TemporarilyFailed) as failed,
    ):
        connect(server.url).ping()
    assert failed.value.code == "S1-R15"
    assert len(server.asked) == 2


def test_a_body_that_ends_early_is_told_as_such() -> None:
    short = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nhello"
    with (
        AnswerServer(lambda _: Told(raw=short)) as server,
        pytest.raises(InputOutputFailed) as failed,
    ):
        connect(server.url).read_blob("a/b", DIGEST)
    assert failed.value.code == "S1-R15"


def test_something_that_does_not_speak_http_is_told_as_such() -> None:
    with (
        SilentServer(b"SSH-2.0-OpenSSH_9.2\r\n") as server,
        pytest.raises(InputOutputFailed) as failed,
    ):
        connect(f"http://{server.host}").ping()
    assert failed.value.code == "S1-R09"


def test_a_busy_registry_is_asked_again_when_it_says() -> None:
    numbers = itertools.count()
    pauses: list[float] = []

    def answer(asked: Asked) -> Told:
        return Told(status=429, headers={"Retry-After": "7"}) if next(numbers) < 2 else Told()

    with AnswerServer(answer) as server:
        registry = connect(server.url, tries=3, pauses=pauses)
        assert registry.ping() == "none"
    assert pauses == [7, 7]
    assert registry.setbacks == 2


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_registry_is_not_asked_for_ever(status: int) -> None:
    told = Told(status=status, body=b"come back\x1b[2J later")
    with AnswerServer(lambda _: told) as server, pytest.raises(TemporarilyFailed) as failed:
        connect(server.url, tries=3).ping()
    assert failed.value.code == "S1-R10"
    assert len(server.asked) == 3
    assert f"answered {status}" in failed.value.message
    assert "come back" in failed.value.message
    assert failed.value.message.isprintable()


def test_a_full_disk_is_told_in_the_registry_s_words() -> None:
    told = Told(status=507, body=b"no space left on device")
    with AnswerServer(lambda _: told) as server, pytest.raises(InputOutputFailed) as failed:
        connect(server.url).ping()
    assert failed.value.message.endswith("answered 507 to `GET /v2/`: no space left on device")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "told", [Told(status=404), Told(headers={"Content-Type": "text/html"}, body=b"<html>")]
)
def test_what_is_not_a_registry_is_told_as_such(told: Told) -> None:
    with AnswerServer(lambda _: told) as server, pytest.raises(InputOutputFailed) as failed:
        connect(server.url).ping()
    assert failed.value.code == "S1-R05"


def test_the_environment_is_not_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with AnswerServer(lambda _: Told()) as server:
        assert connect(server.url).ping() == "none"


# Who we are


class TokenServer:
    """A token endpoint on a host of its own; its first token is good for `uses` requests."""

    def __init__(self, *, uses: int = 1000, status: int = 200, body: bytes | None = None) -> None:
        self.uses = uses
        self.given = 0
        self.left: dict[str, int] = {}
        self.status, self.body = status, body

    def give(self, _: Asked) -> Told:
        self.given += 1
        self.left[f"t{self.given}"] = self.uses if self.given == 1 else 1000
        body = json.dumps({"token": f"t{self.given}"}).encode()
        return Told(status=self.status, body=self.body if self.body is not None else body)

    def admits(self, asked: Asked) -> bool:
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        self.left[token] = self.left.get(token, 0) - 1
        return self.left[token] >= 0


def guarded(tokens: TokenServer, realm: AnswerServer) -> AnswerServer:
    def answer(asked: Asked) -> Told:
        if tokens.admits(asked):
            return Told(status=404) if asked.method == "HEAD" else takes_uploads(asked)
        scope = "repository:a/b:pull" + (",push" if asked.method != "HEAD" else "")
        challenge = f'Bearer realm="{realm.url}/token",service="reg",scope="{scope}"'
        return Told(status=401, headers={"WWW-Authenticate": challenge})

    return AnswerServer(answer)


def test_a_token_is_asked_for_once_for_each_scope() -> None:
    tokens = TokenServer()
    with AnswerServer(tokens.give) as realm, guarded(tokens, realm) as server:
        registry = connect(server.url)
        for _ in range(3):
            registry.has_blob("a/b", DIGEST)
            upload(registry)
    assert len(realm.asked) == 2
    assert "scope=repository%3Aa%2Fb%3Apull%2Cpush" in realm.asked[1].path
    basic = base64.b64encode(f"loader:{PASSWORD}".encode()).decode()
    assert {asked.headers["authorization"] for asked in realm.asked} == {f"Basic {basic}"}
    assert all("Basic" not in asked.headers.get("authorization", "") for asked in server.asked)


def test_a_token_that_expires_midway_is_renewed() -> None:
    tokens = TokenServer(uses=1)
    with AnswerServer(tokens.give) as realm, guarded(tokens, realm) as server:
        upload(connect(server.url, tries=3))
    assert server.heard("PUT")[-1].body == RAW


def test_a_token_endpoint_that_refuses_us_is_told_as_such() -> None:
    tokens = TokenServer(status=401, body=b"")
    with AnswerServer(tokens.give) as realm, guarded(tokens, realm) as server:
        with pytest.raises(InputOutputFailed) as failed:
            connect(server.url).has_blob("a/b", DIGEST)
        assert failed.value.code == "S1-R06"
        assert realm.host in failed.value.message


@pytest.mark.parametrize("body", [b"{}", b"<html>", b'{"token":"a b\\n"}'])
def test_a_token_endpoint_that_gives_no_token_is_told_as_such(body: bytes) -> None:
    tokens = TokenServer(body=body)
    with AnswerServer(tokens.give) as realm, guarded(tokens, realm) as server:
        with pytest.raises(InputOutputFailed) as failed:
            connect(server.url).has_blob("a/b", DIGEST)
        assert failed.value.code == "S1-R22"


@pytest.mark.parametrize("realm", ["file:///etc/passwd", "", "gopher://x"])
def test_a_token_endpoint_outside_http_is_refused(realm: str) -> None:
    told = Told(status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'})
    with AnswerServer(lambda _: told) as server, pytest.raises(InputOutputFailed) as failed:
        connect(server.url).ping()
    assert failed.value.code == "S1-R22"


def test_a_wrong_password_is_tried_once() -> None:
    with AnswerServer(lambda _: BASIC) as server, pytest.raises(InputOutputFailed) as failed:
        connect(server.url).ping()
    assert failed.value.code == "S1-R06"
    assert [("authorization" in asked.headers) for asked in server.asked] == [False, True]


def test_the_password_is_in_no_error_nor_in_its_causes(tmp_path: Path) -> None:
    answers = [
        BASIC,
        Told(status=403, body=b"denied"),
        Told(status=500),
        Told(raw=b""),
        Told(raw=b"nonsense\r\n\r\n"),
        Told(status=404),
        Told(headers={"Docker-Content-Digest": "x"}),
    ]
    for told in answers:
        with AnswerServer(lambda asked, told=told: BASIC if asks_basic(asked) else told) as server:
            registry = connect(server.url)
            for act in (registry.ping, lambda r=registry: upload(r)):
                try:
                    act()
                except S1Error as error:
                    text = "".join(traceback.format_exception(error)) + error.hint + repr(error)
                    assert PASSWORD not in text
                    assert base64.b64encode(f"loader:{PASSWORD}".encode()).decode() not in text
            assert PASSWORD not in repr(registry) + repr(vars(registry))


# The map of urllib3's exceptions


def walk(kind: type[HTTPError]) -> Iterator[type[HTTPError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from walk(child)


@pytest.mark.parametrize("kind", sorted(set(walk(HTTPError)), key=lambda kind: kind.__name__))
def test_no_exception_of_urllib3_escapes(
    kind: type[HTTPError], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = kind.__new__(kind)
    call = Call(method="GET", url="http://registry.test/v2/")
    assert translate(error, call, SHORT).code.startswith("S1-R")

    def raising(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(urllib3.PoolManager, "urlopen", raising)
    with pytest.raises(InputOutputFailed):
        connect("http://registry.test").ping()


def test_the_walk_finds_the_exceptions() -> None:
    names = {kind.__name__ for kind in walk(HTTPError)}
    assert {"NameResolutionError", "SSLError", "ProtocolError", "IncompleteRead"} <= names
