"""What goes wrong with a database, provoked by the command line against a real server."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

from s1ctl.database import reach
from s1ctl.targets.docker_engine import connect_engine
from tests.support.cases import CASES, outcome_of, stand_of, words_of
from tests.support.clients import Clients
from tests.support.database_site import (
    ROWS,
    DatabaseSite,
    Stand,
    copied,
    make_database_site,
    write_releases,
)
from tests.support.engine import remove_site
from tests.support.postgres import Server
from tests.support.registry import RegistryServer
from tests.support.require import ENGINE, need
from tests.support.waiting import in_background, wait_until

pytestmark = pytest.mark.integration
PROGRAM = "from s1ctl.cli.main import run; run()"
SLOWLY = (
    "CREATE OR REPLACE FUNCTION word(int) RETURNS text LANGUAGE plpgsql AS"
    " $$ BEGIN PERFORM pg_sleep(0.001); RETURN 'low'; END $$"
)
AT_ONCE = "CREATE OR REPLACE FUNCTION word(int) RETURNS text LANGUAGE sql AS $$ SELECT 'low' $$"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that these tests may stop, fill and make read-only."""
    need("postgres")
    folder = Path(tempfile.mkdtemp(prefix="s1ctl-postgres-"))
    made = Server(folder, {"autovacuum_naptime": "1s", "wal_level": "replica"})
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_releases(tmp_path_factory.mktemp("releases"))


@pytest.fixture(scope="module")
def installed(
    server: Server, bundles: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DatabaseSite]:
    """A site at 1.0.0 with 1.1.0 loaded, and the database of which each test has a copy."""
    need("docker")
    folder, name = tmp_path_factory.mktemp("site"), f"t{uuid.uuid4().hex[:8]}"
    with RegistryServer(folder / "registry") as registry:
        site = make_database_site(
            folder, bundles["1.0.0"].parent, name=name, url=registry.url,
            database=server.make_database(),
        )  # fmt: skip
        try:
            site.done("install", "--bundle", bundles["1.0.0"], "--yes")
            site.done("load", bundles["1.1.0"])
            fill = "INSERT INTO events (level) SELECT i %% 7 FROM generate_series(1, %s) i"
            site.database.execute(fill, ROWS)
            yield site
        finally:
            with closing(connect_engine(str(ENGINE))) as engine:
                remove_site(engine, name)


@contextmanager
def over(installed: DatabaseSite, server: Server, **options: Any) -> Iterator[DatabaseSite]:
    """Have the site over a fresh copy of its database; it is brought back to 1.0.0 afterwards."""
    template, file = installed.database, installed.file.read_text()
    with copied(server, template, **options) as copy:
        installed.database = copy
        installed.point_at(copy.dsn().reveal())
        try:
            yield installed
        finally:
            installed.file.write_text(file)
            installed.point_at(copy.dsn().reveal())
            if is_away(installed):
                installed.done("rollback", "--yes")
            installed.database = template


def is_away(site: DatabaseSite) -> bool:
    """Say whether there is a way back to 1.0.0, and the site is not there."""
    status = site.done("status")
    here = status["installed"]
    return bool(status["unfinished"] or (here["version"] != "1.0.0" and here["point"]))


@pytest.fixture
def site(installed: DatabaseSite, server: Server) -> Iterator[DatabaseSite]:
    with over(installed, server) as made:
        yield made


def with_column(before: Stand, site: DatabaseSite) -> Stand:
    """Say how a site stands of whose upgrade only revision 0002 was done and left."""
    columns = "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attnum > 0"
    found = site.database.one(f"{columns} AND attrelid = 'events'::regclass")
    assert str(found).split()[-1] == "severity"
    left = site.stand()
    assert (left.rows, left.version) == (before.rows, before.version)
    return left


def message(document: Any) -> str:
    """Take what an operator reads: message and hint."""
    error = document.get("error") or document["cause"]
    return f"{error['message']}\n{error['hint']}"


def test_a_server_that_is_down_is_told_before_anything_begins(
    site: DatabaseSite, server: Server
) -> None:
    before = site.words()
    server.stop()
    try:
        status, document = site.upgrade()
        assert outcome_of(status, document) == CASES["database-refused"].outcome
        assert f"`{site.database.name}` at `127.0.0.1:{server.port}`" in message(document)
        assert "Connection refused" in message(document)
        assert site.data("db", "status")[0] == 20
    finally:
        server.restart()
    CASES["database-refused"].prove(before, site.words())


def test_a_server_that_says_nothing_is_not_waited_for_without_end(
    site: DatabaseSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = site.words()
    monkeypatch.setattr(reach, "CONNECT_TIMEOUT_S", 2)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        site.point_at(f"postgresql://u:canary@127.0.0.1:{port}/events")
        status, document = site.upgrade()
    assert outcome_of(status, document) == CASES["database-no-answer"].outcome
    assert f"`events` at `127.0.0.1:{port}`" in message(document)
    assert "no answer" in message(document)
    assert "canary" not in json.dumps(document) + site.said
    site.point_at(site.database.dsn().reveal())
    CASES["database-no-answer"].prove(before, site.words())


def test_a_name_that_nobody_knows(site: DatabaseSite) -> None:
    before = site.words()
    site.point_at("postgresql://u:canary@database.invalid/events")
    status, document = site.upgrade()
    assert outcome_of(status, document) == CASES["database-name-unknown"].outcome
    assert "`events` at `database.invalid:5432`" in message(document)
    assert "name" in message(document).lower()
    site.point_at(site.database.dsn().reveal())
    CASES["database-name-unknown"].prove(before, site.words())


def test_a_database_that_is_not_there(site: DatabaseSite) -> None:
    before = site.words()
    site.point_at(site.database.dsn(name="nothing").reveal())
    status, document = site.upgrade()
    assert outcome_of(status, document) == CASES["database-missing"].outcome
    assert "`nothing`" in message(document)
    site.point_at(site.database.dsn().reveal())
    CASES["database-missing"].prove(before, site.words())


def test_a_password_that_was_changed_by_hand(site: DatabaseSite) -> None:
    database = site.database
    before = site.words()
    database.execute(f"ALTER ROLE {database.user} PASSWORD 'another'", admin=True)
    try:
        status, document = site.upgrade()
        assert outcome_of(status, document) == CASES["database-password"].outcome
        assert "28P01" in message(document)
        assert "password" in message(document)
        assert database.password not in json.dumps(document) + site.said
        ledger, files = words_of(site.state)["ledger"], words_of(site.state)["files"]
        assert (ledger, files) == (before["ledger"], before["files"])
        assert outcome_of(*site.data("backup", "create")) == (20, "S1-D02")
        site.point_at(database.dsn(password="another").reveal())
        assert site.done("db", "status")["databases"][0]["standing"] == "at"
    finally:
        word = f"ALTER ROLE {database.user} PASSWORD '{database.password}'"
        database.execute(word, admin=True)
    site.point_at(database.dsn().reveal())
    CASES["database-password"].prove(before, {**site.words(), "ledger": ledger, "files": files})


def test_a_server_without_a_connection_left(site: DatabaseSite) -> None:
    database = site.database
    before = site.words()
    database.execute(f"ALTER ROLE {database.user} CONNECTION LIMIT 0", admin=True)
    try:
        status, document = site.upgrade()
    finally:
        database.execute(f"ALTER ROLE {database.user} CONNECTION LIMIT -1", admin=True)
    assert outcome_of(status, document) == CASES["database-connections"].outcome
    assert "no connection left" in message(document)
    CASES["database-connections"].prove(before, site.words())


def test_an_open_transaction_is_named_and_the_hop_is_taken_back(site: DatabaseSite) -> None:
    before = site.words()
    with closing(site.database.connect("nightly-report")) as reader:
        reader.cursor().execute("SELECT count(*) FROM events")
        with Clients(site.database, "SELECT count(*) FROM events WHERE id < 9") as clients:
            status, document = site.upgrade()
        pid = reader.info.backend_pid
    assert outcome_of(status, document) == CASES["database-locked"].outcome
    assert f"pid {pid} `nightly-report` of `{site.database.user}`" in message(document)
    assert " s old" in message(document)
    assert f"pg_terminate_backend({pid})" in message(document)
    assert f"waits for pid {pid} `nightly-report`" in site.said
    assert not clients.errors
    CASES["database-locked"].prove(before, site.words())


def test_a_vacuum_by_hand_is_named(site: DatabaseSite) -> None:
    before = site.words()
    with vacuuming(site) as pid:
        status, document = site.upgrade()
    assert outcome_of(status, document) == CASES["database-vacuum"].outcome
    assert f"pid {pid} `by-hand`" in message(document)
    CASES["database-vacuum"].prove(before, site.words())


@contextmanager
def vacuuming(site: DatabaseSite) -> Iterator[int]:
    """Vacuum the table by hand, so slowly that it lasts until the end of the block."""
    with closing(site.database.connect("by-hand", autocommit=True)) as connection:
        cursor = connection.cursor()
        cursor.execute("UPDATE events SET level = level")
        cursor.execute("SET vacuum_cost_delay = '100ms'; SET vacuum_cost_limit = 1")
        vacuum = "VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) events"
        running = in_background(lambda: cursor.execute(vacuum))
        wait_until(lambda: site.database.one("SELECT count(*) FROM pg_stat_progress_vacuum"))
        yield connection.info.backend_pid
        connection.cancel()
        assert running.exception(30) is not None


def autovacuuming(site: DatabaseSite, **options: object) -> int:
    """Have autovacuum begin with the table, so slowly that it lasts; say its pid."""
    wanted = {
        "autovacuum_vacuum_threshold": 0, "autovacuum_vacuum_scale_factor": 0,
        "autovacuum_vacuum_cost_delay": 100, "autovacuum_vacuum_cost_limit": 1, **options,
    }  # fmt: skip
    settings = ", ".join(f"{key} = {value}" for key, value in wanted.items())
    site.database.execute(f"ALTER TABLE events SET ({settings})")
    site.database.execute("UPDATE events SET level = level")
    begun = "SELECT pid FROM pg_stat_progress_vacuum WHERE relid = 'events'::regclass"
    wait_until(lambda: site.database.execute(begun, admin=True))
    ((pid,),) = site.database.execute(begun, admin=True)
    return int(str(pid))


def test_an_autovacuum_is_named_and_gives_way_where_the_role_may_hurry_it(
    site: DatabaseSite,
) -> None:
    pid = autovacuuming(site)
    before = site.words()
    status, document = site.upgrade()
    assert outcome_of(status, document) == CASES["database-autovacuum"].outcome
    assert f"pid {pid} `autovacuum worker` of `the server`" in message(document)
    assert "GRANT SET ON PARAMETER deadlock_timeout" in message(document)
    CASES["database-autovacuum"].prove(before, site.words())
    user = site.database.user
    site.database.execute(f"GRANT SET ON PARAMETER deadlock_timeout TO {user}", admin=True)
    site.change("max_wait_s: 2", "max_wait_s: 60")
    try:
        status, document = site.upgrade()
    finally:
        revoke = f"REVOKE SET ON PARAMETER deadlock_timeout FROM {user}"
        site.database.execute(revoke, admin=True)
    assert outcome_of(status, document) == CASES["database-autovacuum-yields"].outcome
    assert site.stand().version == "1.1.0"


def test_a_full_disk_takes_the_hop_back(site: DatabaseSite, server: Server) -> None:
    need("root")
    with small_disk(server, 24) as folder:
        server.make_tablespace("small", folder)
        with copied(server, site_template(site, server), tablespace="small") as copy:
            site.database, former = copy, site.database
            site.point_at(copy.dsn().reveal())
            before = site.stand()
            first = site.words()
            (folder / "filler").write_bytes(b"x" * (shutil.disk_usage(folder).free - 65536))
            status, document = site.upgrade()
            assert outcome_of(status, document) == CASES["database-full"].outcome
            assert "53100" in message(document)
            assert "free space" in message(document)
            CASES["database-full"].prove(first, site.words())
            now = site.stand()
            assert (now.rows, now.version) == (before.rows, before.version)
            assert now.applied in (("0001",), ("0001", "0002"))
            (folder / "filler").unlink()
            assert site.upgrade()[0] == 0
            assert site.stand().rows == before.rows
            site.done("rollback", "--yes")
        site.database = former
        server.execute("DROP TABLESPACE small")


def site_template(site: DatabaseSite, server: Server) -> Any:
    """Nobody may be connected to what is copied."""
    wait_until(lambda: not others(site))
    return site.database


def others(site: DatabaseSite) -> object:
    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    return site.database.one(f"{count} AND pid <> pg_backend_pid() AND backend_type LIKE 'client%'")


@contextmanager
def small_disk(server: Server, mebibytes: int) -> Iterator[Path]:
    folder = server.folder / f"disk-{uuid.uuid4().hex[:6]}"
    folder.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0777", "tmpfs", folder], check=True
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_database_that_is_set_read_only(site: DatabaseSite) -> None:
    before = site.words()
    name = site.database.name
    set_it = f"ALTER DATABASE {name} SET default_transaction_read_only = on"
    site.database.execute(set_it)
    status, document = site.upgrade()
    assert outcome_of(status, document) == CASES["database-read-only"].outcome
    assert "`events` is read-only" in message(document)
    assert "default_transaction_read_only" in message(document)
    site.database.execute(f"SET transaction_read_only = off; ALTER DATABASE {name} RESET ALL")
    CASES["database-read-only"].prove(before, site.words())


def test_a_standby(site: DatabaseSite, server: Server) -> None:
    before = site.words()
    server.stop()
    signal = server.folder / "data" / "standby.signal"
    signal.touch()
    try:
        server.restart()
        status, document = site.upgrade()
    finally:
        signal.unlink()
        server.restart()
    assert outcome_of(status, document) == CASES["database-standby"].outcome
    assert "name the primary server" in message(document)
    CASES["database-standby"].prove(before, site.words())


def test_a_column_that_was_added_by_hand(site: DatabaseSite) -> None:
    site.database.execute("ALTER TABLE events ADD COLUMN severity int")
    before = site.words()
    status, document = site.upgrade()
    assert outcome_of(status, document) == CASES["database-column-added"].outcome
    assert 'column "severity" of relation "events" already exists' in message(document)
    assert "by hand" in message(document)
    CASES["database-column-added"].prove(before, site.words())


def test_a_column_that_was_dropped_by_hand(site: DatabaseSite) -> None:
    site.database.execute("ALTER TABLE events DROP COLUMN level")
    before, first = site.stand(), site.words()
    status, document = site.upgrade()
    assert outcome_of(status, document) == CASES["database-column-dropped"].outcome
    assert 'column "level" does not exist' in message(document)
    assert "by hand" in message(document)
    CASES["database-column-dropped"].prove(first, site.words())
    assert with_column(before, site).applied == ("0001", "0002")
    assert site.done("db", "undo", "--yes")["database"] == "events"
    assert replace(site.stand(), contents={}) == replace(before, contents={})


def test_an_index_of_that_name_on_another_column(site: DatabaseSite) -> None:
    site.database.execute("CREATE INDEX events_severity ON events (level)")
    before, first = site.stand(), site.words()
    status, document = site.upgrade()
    assert outcome_of(status, document) == CASES["database-index-other"].outcome
    assert "`events_severity` is there, on `level`; the revision wants it on `severity`" in message(
        document
    )
    assert "DROP INDEX CONCURRENTLY events_severity" in message(document)
    CASES["database-index-other"].prove(first, site.words())
    assert with_column(before, site).applied == ("0001", "0002", "0003")


def test_a_version_table_that_was_changed_by_hand(site: DatabaseSite) -> None:
    site.database.execute("UPDATE s1ctl.alembic_version SET version_num = 'beef'")
    before = site.words()
    status, document = site.upgrade()
    assert outcome_of(status, document) == CASES["database-version-unknown"].outcome
    assert "Alembic's table says `beef`, and `0001` were applied" in message(document)
    CASES["database-version-unknown"].prove(before, site.words())
    (standing,) = site.done("db", "status")["databases"]
    assert standing["standing"] == "unknown"


def test_a_revision_that_no_release_has(site: DatabaseSite) -> None:
    site.database.execute(
        "INSERT INTO s1ctl.applied (revision, release, digest, operation, plan, fence)"
        " VALUES ('beef', '9.0', 'x', 'x', 'x', 1);"
        "UPDATE s1ctl.alembic_version SET version_num = 'beef'"
    )
    before = site.words()
    status, document = site.upgrade()
    assert outcome_of(status, document) == CASES["database-revision-unknown"].outcome
    assert "`beef`" in message(document)
    CASES["database-revision-unknown"].prove(before, site.words())


def test_a_database_that_is_ahead_is_left_as_it_is_and_one_behind_brought_up(
    site: DatabaseSite,
) -> None:
    """As after a rollback: all that the next upgrade would add is there already."""
    site.change("max_wait_s: 2", "max_wait_s: 60")
    assert site.upgrade()[0] == 0
    site.done("rollback", "--yes")
    before = site.words()
    assert site.done("db", "status")["databases"][0]["standing"] == "ahead"
    status, document = site.upgrade()
    assert outcome_of(status, document) == CASES["database-ahead"].outcome
    CASES["database-ahead"].prove(before, site.words())
    behind_is_brought_up_by_apply(site, site.stand())


def behind_is_brought_up_by_apply(site: DatabaseSite, good: Stand) -> None:
    """Take revisions away, as an old dump does that was restored by hand."""
    point = site.done("status")["installed"]["point"]
    site.database.execute(
        "ALTER TABLE events DROP COLUMN severity;"
        "DELETE FROM s1ctl.applied WHERE revision > '0001'; DELETE FROM s1ctl.backfill;"
        "UPDATE s1ctl.alembic_version SET version_num = '0001'"
    )
    assert site.done("db", "status")["databases"][0]["standing"] == "behind"
    status, document = site.data("apply", "--yes")
    assert outcome_of(status, document) == CASES["database-behind"].outcome
    assert (now := site.stand()).contents == good.contents
    assert (now.schema, now.applied) == (good.schema, good.applied)
    site.done("rollback", "--to", point, "--yes")


def test_another_s1ctl_that_holds_the_database(site: DatabaseSite) -> None:
    before = site.words()
    with closing(site.database.connect("s1ctl-lock", autocommit=True)) as other:
        other.cursor().execute("SELECT pg_advisory_lock(%s, %s)", (0x5331, 0x63746C))
        pid = other.info.backend_pid
        status, document = site.upgrade()
    assert outcome_of(status, document) == CASES["database-held"].outcome
    assert f"pid {pid} and comes from 127.0.0.1" in message(document)
    CASES["database-held"].prove(before, site.words())


def test_of_two_s1ctl_at_once_one_wins_and_the_other_names_it(site: DatabaseSite) -> None:
    before = site.stand()
    site.database.execute(SLOWLY)
    site.change("max_wait_s: 2", "max_wait_s: 60")
    words = ("upgrade", "--to", "1.1.0", "--yes", "--output", "json")
    argv = [sys.executable, "-c", PROGRAM, "--site", str(site.file), *words]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as first:
        wait_until(lambda: filled(site))
        status, document = site.upgrade()
        assert outcome_of(status, document) == CASES["database-two-at-once"].outcome
        assert f"process {first.pid}" in message(document)
        out, _ = first.communicate(timeout=120)
    won = json.loads(out)
    assert (first.returncode, won["version"], won["state"]) == (0, "1.1.0", "done")
    assert site.stand().rows == before.rows
    assert site.database.one("SELECT count(*) FROM s1ctl.applied WHERE revision = '0003'") == 1


def filled(site: DatabaseSite) -> object:
    """Say whether the backfill has committed a batch."""
    if site.database.one("SELECT to_regclass('s1ctl.backfill') IS NULL"):
        return None
    return site.database.one("SELECT count(*) FROM s1ctl.backfill WHERE rows > 0")


def during(work: Callable[[], object], site: DatabaseSite) -> tuple[int, Any]:
    """Upgrade with a slow backfill, and do something when its first batch is committed."""
    site.database.execute(SLOWLY)

    def disturb() -> object:
        wait_until(lambda: filled(site), 60)
        return work()

    disturbing = in_background(disturb)
    ended = site.upgrade()
    disturbing.result(60)
    return ended


def test_a_server_that_is_restarted_in_a_backfill(site: DatabaseSite, server: Server) -> None:
    before, first = site.stand(), site.words()
    status, document = during(server.stop, site)
    server.start()
    assert outcome_of(status, document) == CASES["database-restarted"].outcome
    assert "the connection was lost" in message(document)
    assert "s1ctl resume" in message(document)
    kept = int(str(site.database.one("SELECT rows FROM s1ctl.backfill")))
    assert 0 < kept < ROWS
    assert site.stand().rows == before.rows
    CASES["database-restarted"].prove(first, site.words())
    site.database.execute(AT_ONCE)
    assert site.done("resume")["state"] == "done"
    assert site.database.one("SELECT rows FROM s1ctl.backfill") == ROWS
    assert site.stand().rows == before.rows


def test_a_connection_that_is_ended_by_hand_in_an_expand(site: DatabaseSite) -> None:
    before, first = site.stand(), site.words()
    site.change("max_wait_s: 2", "max_wait_s: 60, max_stall_ms: 5000")
    end = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname ="
        " current_database() AND application_name = 's1ctl-worker' AND state = 'active'"
        " AND query LIKE 'ALTER TABLE%'"
    )
    with closing(site.database.connect("reader")) as reader:
        reader.cursor().execute("SELECT count(*) FROM events")  # the worker waits for it
        running = in_background(lambda: wait_until(lambda: site.database.one(end), 60))
        status, document = site.upgrade()
        running.result(60)
    assert outcome_of(status, document) == CASES["database-connection-ended"].outcome
    assert "the connection was lost" in message(document)
    CASES["database-connection-ended"].prove(first, site.words())
    assert site.done("resume")["state"] == "done"
    assert site.stand().rows == before.rows


def dumps(site: DatabaseSite) -> object:
    """Say what is in the state directory beside the ledger, and what that knows of backups."""
    files = {name: text for name, text in stand_of(site.state).items() if name != "ledger.db"}
    return files, site.done("backup", "list"), site.done("history")


def test_a_disk_that_has_no_room_for_a_dump(site: DatabaseSite) -> None:
    need("root")
    with disk_of_backups(site, 8):
        before, files = site.words(), dumps(site)
        status, document = site.data("backup", "create")
        assert outcome_of(status, document) == CASES["dump-no-room"].outcome
        assert f"`{site.state}/backups/" in message(document)
        assert "s1ctl prune" in message(document)
        assert dumps(site) == files
        CASES["dump-no-room"].prove(before, site.words())


def test_a_disk_that_fills_up_in_the_middle_of_a_dump(site: DatabaseSite) -> None:
    need("root")
    site.database.execute(
        "CREATE TABLE bulk AS SELECT string_agg(md5(random()::text), '') AS t"
        " FROM generate_series(1, 200000) i GROUP BY i % 1000"
    )
    with disk_of_backups(site, 160) as folder:
        before, files = site.words(), dumps(site)

        def fill() -> None:
            wait_until(lambda: list(folder.glob("*/.*.tmp")))
            size = shutil.disk_usage(folder).free
            with (folder / "filler").open("wb") as file, suppress(OSError):
                os.posix_fallocate(file.fileno(), 0, size - 65536)

        filling = in_background(fill)
        status, document = site.data("backup", "create")
        filling.result(60)
        (folder / "filler").unlink()
        assert outcome_of(status, document) == CASES["dump-disk-full"].outcome
        assert "No space left on device" in message(document)
        assert dumps(site) == files
        CASES["dump-disk-full"].prove(before, site.words())


@contextmanager
def disk_of_backups(site: DatabaseSite, mebibytes: int) -> Iterator[Path]:
    folder = site.state / "backups"
    folder.mkdir(exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", folder], check=True
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_dump_whose_connection_is_ended_leaves_nothing(site: DatabaseSite) -> None:
    site.database.execute(
        "CREATE TABLE bulk AS SELECT repeat('x', 1000) AS t FROM generate_series(1, 100000)"
    )
    before, files = site.words(), dumps(site)
    end = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname ="
        " current_database() AND application_name = 'pg_dump'"
    )
    ending = in_background(lambda: wait_until(lambda: site.database.one(end), 60))
    status, document = site.data("backup", "create")
    ending.result(60)
    assert outcome_of(status, document) == CASES["dump-fails"].outcome
    assert "pg_dump ended with 1" in message(document)
    assert dumps(site) == files
    CASES["dump-fails"].prove(before, site.words())


def test_a_restore_that_fails_changes_nothing(site: DatabaseSite) -> None:
    (backup,) = site.done("backup", "create")["backups"]
    words = ("backup", "restore", backup["id"], "--accept-data-loss", "--yes")
    site.database.execute("DELETE FROM events WHERE id <= 10")
    before = site.words()
    status, document = site.data(*words)
    assert outcome_of(status, document) == CASES["restore-unproven"].outcome
    assert f"s1ctl backup prove {backup['id']}" in message(document)
    CASES["restore-unproven"].prove(before, site.words())
    site.done("backup", "prove", backup["id"])
    end = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname ="
        " current_database() AND application_name = 'psql' AND wait_event_type = 'Lock'"
    )
    with closing(site.database.connect("reader")) as reader:
        reader.cursor().execute("SELECT count(*) FROM events")  # the restore waits for it
        ending = in_background(lambda: wait_until(lambda: site.database.one(end), 60))
        status, document = site.data(*words)
        ending.result(60)
    assert outcome_of(status, document) == CASES["restore-fails"].outcome
    assert "connection to server was lost" in message(document)
    CASES["restore-fails"].prove(before, site.words())
    Path(backup["path"]).write_bytes(b"x")
    status, document = site.data(*words)
    assert outcome_of(status, document) == CASES["restore-damaged"].outcome
    assert "is not the one that was written" in message(document)
    CASES["restore-damaged"].prove(before, site.words())


def hook(site: DatabaseSite, moment: str, text: str) -> Path:
    path = site.folder / "hook"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    site.change("state_dir:", f"hooks: {{{moment}: ['{path} --of s1ctl']}}\nstate_dir:")
    return path


def installs(site: DatabaseSite) -> tuple[object, ...]:
    history = site.done("history")
    status = site.done("status")
    return history, status["installed"], status["running"]


def test_a_hook_that_refuses(site: DatabaseSite) -> None:
    hook(site, "start", "cat >/dev/null; echo no change tonight; exit 7")
    before, known = site.words(), installs(site)
    status, document = site.upgrade()
    assert outcome_of(status, document) == CASES["hook-refuses"].outcome
    assert "stopped the upgrade: it ended with 7: no change tonight" in message(document)
    CASES["hook-refuses"].prove(before, site.words())
    assert installs(site) == known
    assert site.done("lock", "show") == {"held": None}


def test_a_hook_that_hangs(site: DatabaseSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s1ctl.operation.hooks.HOOK_TIMEOUT_S", 0.5)
    path = hook(site, "start", "echo asking; sleep 600")
    before, known = site.words(), installs(site)
    status, document = site.upgrade()
    assert outcome_of(status, document) == CASES["hook-hangs"].outcome
    assert "and was ended: asking" in message(document)
    assert f"see why `{path}` hangs" in message(document)
    CASES["hook-hangs"].prove(before, site.words())
    assert installs(site) == known


def test_a_hook_that_is_missing(site: DatabaseSite) -> None:
    path = hook(site, "finish", "true")
    path.unlink()
    before, known = site.words(), installs(site)
    status, document = site.upgrade()
    assert outcome_of(status, document) == CASES["hook-missing"].outcome
    assert f"the hook `{path}` of `hooks.finish` cannot be found" in message(document)
    CASES["hook-missing"].prove(before, site.words())
    assert installs(site) == known


def test_a_hook_that_others_may_write(site: DatabaseSite) -> None:
    path = hook(site, "pause", "true")
    path.chmod(0o775)
    before, known = site.words(), installs(site)
    status, document = site.upgrade()
    assert outcome_of(status, document) == CASES["hook-writable"].outcome
    assert f"`{path}` may be written by others (mode 0775)" in message(document)
    assert f"chmod go-w {path}" in message(document)
    CASES["hook-writable"].prove(before, site.words())
    assert installs(site) == known


class _Clock(datetime):
    """A clock that can be set back."""

    back = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return datetime.now(tz) - cls.back


def set_back_and_explode(*_: object, **__: object) -> None:
    _Clock.back = timedelta(days=1)
    raise RuntimeError("a bug in a step")


def interrupt(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_clock_that_is_set_back_in_the_middle_of_an_upgrade(
    site: DatabaseSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = site.folder / "told"
    hook(site, "pause", f"cat >>{told}")
    monkeypatch.setattr("s1ctl.cli.surroundings.datetime", _Clock)
    monkeypatch.setattr(_Clock, "back", timedelta())
    step = "s1ctl.operation.schema.apply_revision"
    with monkeypatch.context() as patch:
        patch.setattr(step, set_back_and_explode)
        ended, said = [site.upgrade()], site.said
        patch.setattr(step, interrupt)
        ended.append(site.data("resume"))
    said += site.said
    ended.append(site.data("resume"))
    assert [status for status, _ in ended] == [31, 130, 0]
    assert outcome_of(*ended[-1]) == CASES["clock-set-back"].outcome
    assert all(0 <= document["seconds"] < 600 for _, document in ended)
    assert "(-" not in said + site.said
    notices = [json.loads(line) for line in told.read_text().splitlines()]
    assert [one["event"] for one in notices] == ["pause", "pause"]
    assert [one["outcome"] for one in notices] == ["paused", "paused"]
    assert "a bug in a step" in notices[0]["cause"]["message"]

    history = site.done("history", "--verify")
    operation = history["operations"][0]
    assert operation["operation"] == ended[0][1]["operation"]
    times = [entry["at"] for entry in operation["journal"]]
    assert times != sorted(times)
    ends = [one["step"] for one in operation["journal"] if one["event"] == "done" and one["step"]]
    assert ends == list(dict.fromkeys(ends))


def test_a_hook_that_fails_at_the_end_is_warned_of(site: DatabaseSite) -> None:
    site.change("max_wait_s: 2", "max_wait_s: 60")
    path = hook(site, "finish", f"cat >{site.folder}/told; exit 1")
    before = site.stand()
    status, document = site.upgrade()
    assert outcome_of(status, document) == CASES["hook-finish-fails"].outcome
    assert f"warning: hook `{path}` (finish) failed: it ended with 1" in site.said
    told = json.loads((site.folder / "told").read_text())
    assert (told["event"], told["from"], told["to"], told["outcome"]) == (
        "finish", "1.0.0", "1.1.0", "done",
    )  # fmt: skip
    assert site.stand().rows == before.rows


def test_a_platform_that_is_installed_over_its_kept_data_keeps_its_contract_pending(
    site: DatabaseSite, bundles: dict[str, Path]
) -> None:
    site.change("max_wait_s: 2", "max_wait_s: 60")
    assert site.upgrade()[0] == 0
    before = site.stand()
    site.done("uninstall", "--yes")
    document = site.done("install", "--bundle", bundles["1.1.0"], "--yes")
    assert document["version"] == "1.1.0"
    assert replace(site.stand(), containers=before.containers) == before
    assert site.done("db", "status")["databases"][0]["contract"] == ["0005"]
    steps = site.done("db", "contract", "--dry-run")
    kinds = [step["kind"] for hop in steps["plan"]["hops"] for step in hop["steps"]]
    assert kinds == ["back-up", "prove-backup", "apply-revision"]
