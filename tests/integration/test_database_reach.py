"""Reaching a real PostgreSQL, and being told why not."""

import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from s1ctl.database.reach import connect, database_size, make_dsn, ping
from s1ctl.errors import InputOutputFailed
from s1ctl.release.manifest import Access, Schema
from s1ctl.site.secrets import Secret
from tests.support.postgres import Database

pytestmark = pytest.mark.integration

CANARY = "canary-password-7731"


def refusal(dsn: Secret) -> InputOutputFailed:
    with pytest.raises(InputOutputFailed) as caught:
        ping(dsn)
    everything = f"{caught.value!r} {caught.value.message} {caught.value.hint}"
    assert CANARY not in everything
    assert dsn.reveal() not in everything
    return caught.value


def test_a_server_tells_its_version_and_a_databases_size(postgres: Database) -> None:
    assert ping(postgres.dsn()) // 10000 == 15
    assert database_size(postgres.dsn()) > 1_000_000


def test_a_password_of_strange_characters_gets_through(postgres: Database) -> None:
    word = "a b:c/d@e?f#g%h'i\"j\\k&é"
    postgres.execute(f"ALTER ROLE {postgres.user} PASSWORD %s", word, admin=True)
    access = Access(dbname=postgres.name, user=postgres.user, password="pw", port=postgres.port)
    schema = Schema(database="console", engine="postgresql", access=access, revisions=())
    assert ping(make_dsn(schema, postgres.host, Secret(word)))


def test_a_wrong_password_is_told_as_such(postgres: Database) -> None:
    error = refusal(postgres.dsn(password=CANARY))
    assert error.code == "S1-D02"
    assert "28P01" in error.message


def test_a_missing_database_is_told_as_such(postgres: Database) -> None:
    postgres.execute(f"ALTER ROLE {postgres.user} PASSWORD %s", CANARY, admin=True)
    error = refusal(postgres.dsn(password=CANARY, name="absent"))
    assert error.code == "S1-D03"
    assert "`absent`" in error.message


def test_a_user_who_may_not_log_in_is_told_as_such(postgres: Database) -> None:
    postgres.execute(f"ALTER ROLE {postgres.user} NOLOGIN", admin=True)
    assert refusal(postgres.dsn()).code == "S1-D02"


def test_a_user_without_the_right_to_connect_is_told_as_such(postgres: Database) -> None:
    postgres.execute(f"REVOKE ALL ON DATABASE {postgres.name} FROM public", admin=True)
    postgres.execute(f"ALTER DATABASE {postgres.name} OWNER TO postgres", admin=True)
    assert refusal(postgres.dsn()).code == "S1-D06"


def test_a_server_without_a_free_connection_is_told_as_such(postgres: Database) -> None:
    postgres.execute(f"ALTER ROLE {postgres.user} CONNECTION LIMIT 0", admin=True)
    assert refusal(postgres.dsn()).code == "S1-D08"


def test_an_absent_server_is_told_as_such() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        error = refusal(Secret(f"postgresql://u:{CANARY}@127.0.0.1:{port}/console"))
    assert error.code == "S1-D01"
    assert f"`console` at `127.0.0.1:{port}`" in error.message


def test_a_server_that_is_not_postgresql_is_told_as_unknown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        def hang_up() -> None:
            with suppress(OSError):  # the listener is closed below
                while True:
                    connection, _ = other.accept()
                    with connection:
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=hang_up, daemon=True).start()
        error = refusal(Secret(f"postgresql://u:{CANARY}@127.0.0.1:{port}/console"))
    assert error.code in {"S1-D09", "S1-D01"}


def test_a_url_that_asks_for_tls_says_so_when_it_fails(postgres: Database) -> None:
    url = postgres.dsn(password=CANARY).reveal() + "?sslmode=require"
    error = refusal(Secret(url))
    assert error.code == "S1-D09"
    assert "`sslmode`" in error.message


def test_a_connection_drops_the_limits_of_its_role(postgres: Database, tmp_path: Path) -> None:
    postgres.execute(f"ALTER ROLE {postgres.user} SET statement_timeout = '1s'", admin=True)
    postgres.execute(f"ALTER ROLE {postgres.user} SET lock_timeout = '1s'", admin=True)
    database = connect(postgres.dsn(), application="test")
    cursor = database.cursor()
    for name in ("statement_timeout", "lock_timeout"):
        cursor.execute(f"SHOW {name}")
        assert cursor.fetchone() == ("0",)
    database.close()
