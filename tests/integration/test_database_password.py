"""Passwords of a real PostgreSQL's roles."""

from contextlib import closing

import pytest

from s1ctl.database.password import probe_password, set_password, with_password
from s1ctl.errors import InputOutputFailed
from s1ctl.plan.presence import Presence
from s1ctl.site.secrets import Secret
from tests.support.postgres import Database, Server

pytestmark = pytest.mark.integration

NEW = "canary pässword-'\\ 8842"


def test_a_role_gives_itself_a_password_and_the_former_one_ends(postgres: Database) -> None:
    former = postgres.dsn()
    new = with_password(former, Secret(NEW))
    assert (probe_password(former), probe_password(new)) == (Presence.PRESENT, Presence.ABSENT)
    with closing(postgres.connect()) as held:
        set_password(former, Secret(NEW))
        held.cursor().execute("SELECT 1")
    assert (probe_password(former), probe_password(new)) == (Presence.ABSENT, Presence.PRESENT)
    set_password(new, Secret(postgres.password))
    assert (probe_password(former), probe_password(new)) == (Presence.PRESENT, Presence.ABSENT)


def test_the_servers_log_has_a_verifier_and_no_password(
    postgres: Database, postgres_server: Server
) -> None:
    postgres.execute(f"ALTER ROLE {postgres.name} SET log_statement = 'all'", admin=True)
    set_password(postgres.dsn(), Secret(NEW))
    set_password(with_password(postgres.dsn(), Secret(NEW)), Secret(postgres.password))
    log = (postgres_server.folder / "log").read_text(errors="replace")
    assert "ALTER ROLE CURRENT_USER PASSWORD 'SCRAM-SHA-256$" in log
    assert "canary" not in log
    assert postgres.password not in log


def test_whoever_is_not_let_in_changes_nothing_and_tells_no_secret(postgres: Database) -> None:
    with pytest.raises(InputOutputFailed) as caught:
        set_password(postgres.dsn(password="canary-wrong"), Secret(NEW))
    assert caught.value.code == "S1-D02"
    assert "canary" not in f"{caught.value.message} {caught.value.hint}"
    assert probe_password(postgres.dsn()) is Presence.PRESENT


def test_a_server_that_does_not_answer_leaves_it_unknown() -> None:
    assert probe_password(Secret("postgresql://u:p@127.0.0.1:1/d")) is Presence.UNKNOWN
