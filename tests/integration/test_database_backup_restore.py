"""Dumps of a real PostgreSQL proven aside and restored into the live database."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from s1ctl.database.applied import applied_revisions, ensure_tables
from s1ctl.database.inspection import Restored, read_inspection
from s1ctl.database.local import run_local
from s1ctl.database.restore import (
    PROVE_ARGV,
    RESTORE_ARGV,
    first_difference,
    is_restored,
    prove_environment,
    restore_environment,
)
from s1ctl.database.snapshot import Snapshot, count_rows, holding_snapshot
from s1ctl.errors import InputOutputFailed
from s1ctl.site.secrets import Secret
from tests.support.postgres import Database
from tests.support.rich import RICH

pytestmark = pytest.mark.integration


@pytest.fixture
def shop(postgres: Database) -> Database:
    """A database with every kind of object, rows, and two revisions applied."""
    postgres.execute(RICH)
    postgres.execute("CREATE TABLE public.plain (i int)")
    postgres.execute("CREATE FUNCTION public.one() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    postgres.execute("CREATE TYPE public.colour AS ENUM ('red'); CREATE SEQUENCE public.own")
    postgres.execute(
        ";".join(
            f"CREATE TABLE public.t{number} (id bigint GENERATED ALWAYS AS IDENTITY, n serial,"
            " o int DEFAULT public.one(), c public.colour);"
            f"CREATE VIEW public.v{number} AS SELECT * FROM public.t{number}"
            for number in range(60)
        )
    )
    with closing(postgres.connect(autocommit=True)) as connection:
        ensure_tables(connection)
    for revision in ("0001", "0002"):
        apply(postgres, revision)
    return postgres


def test_a_dump_restored_aside_holds_what_was_dumped(shop: Database, tmp_path: Path) -> None:
    before = dump(shop, tmp_path / "dump")
    shop.execute("DROP SCHEMA shop CASCADE")
    restored = prove(shop, tmp_path / "dump")
    assert difference(before, restored) is None
    assert restored.counts == before.counts
    assert restored.revisions == ("0001", "0002")
    assert "shop.orders" not in count_rows(shop.dsn())


def test_a_row_that_is_missing_in_the_dump_is_named(shop: Database, tmp_path: Path) -> None:
    before = dump(shop, tmp_path / "old")
    shop.execute("DELETE FROM shop.orders WHERE id = 1")
    dump(shop, tmp_path / "dump")
    restored = prove(shop, tmp_path / "dump")
    assert difference(before, restored) == "table `shop.orders` has 2 rows, and had 3 rows"


def test_an_object_that_is_missing_in_the_dump_is_named(shop: Database, tmp_path: Path) -> None:
    before = dump(shop, tmp_path / "old")
    shop.execute("DROP INDEX shop.orders_new")
    dump(shop, tmp_path / "dump")
    restored = prove(shop, tmp_path / "dump")
    assert difference(before, restored) == "index `shop.orders_new` is missing"


def test_a_damaged_dump_proves_nothing(shop: Database, tmp_path: Path) -> None:
    dump(shop, tmp_path / "dump")
    raw = (tmp_path / "dump").read_bytes()
    (tmp_path / "dump").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(InputOutputFailed) as caught:
        prove(shop, tmp_path / "dump")
    assert caught.value.code == "S1-D52"


def test_a_proof_leaves_nothing_behind(shop: Database, tmp_path: Path) -> None:
    folders = set(Path("/tmp").glob("s1ctl.*"))
    dump(shop, tmp_path / "dump")
    prove(shop, tmp_path / "dump")
    assert set(Path("/tmp").glob("s1ctl.*")) == folders


def test_a_restore_puts_back_what_was_there_and_takes_away_what_came_after(
    shop: Database, tmp_path: Path
) -> None:
    before = dump(shop, tmp_path / "dump")
    shop.execute("INSERT INTO shop.users (name) VALUES ('late'), ('later')")
    shop.execute("ALTER TABLE shop.orders DROP COLUMN note")
    shop.execute("CREATE TABLE public.newer (i int REFERENCES shop.users)")
    shop.execute("CREATE TABLE public.aside AS SELECT 1 AS i")
    shop.execute("DROP TYPE public.colour CASCADE")
    shop.execute("CREATE SCHEMA other; CREATE TABLE other.t (i int)")
    apply(shop, "0003")
    restore(shop, tmp_path / "dump")
    after = look(shop.dsn())
    assert before.description.difference(after.description) is None
    assert after.counts == before.counts
    assert applied_revisions(shop.dsn()) == ("0001", "0002")
    assert is_restored(shop.dsn(), operation="op-1", backup="b0001")
    assert not is_restored(shop.dsn(), operation="op-2", backup="b0001")
    assert shop.one("INSERT INTO shop.users (name) VALUES ('next') RETURNING id") == 6


def test_a_damaged_dump_changes_nothing(shop: Database, tmp_path: Path) -> None:
    shop.execute("CREATE TABLE much AS SELECT i, md5(i::text) FROM generate_series(1, 50000) i")
    before = dump(shop, tmp_path / "dump")
    raw = (tmp_path / "dump").read_bytes()
    (tmp_path / "dump").write_bytes(raw[:-20_000])
    with pytest.raises(InputOutputFailed) as caught:
        restore(shop, tmp_path / "dump")
    assert caught.value.code == "S1-D52"
    after = look(shop.dsn())
    assert (after.description, after.counts) == (before.description, before.counts)
    assert not is_restored(shop.dsn(), operation="op-1", backup="b0001")


def test_a_restore_that_is_killed_in_the_middle_leaves_what_was_there(
    shop: Database, tmp_path: Path
) -> None:
    shop.execute("CREATE TABLE much AS SELECT i, md5(i::text) FROM generate_series(1, 300000) i")
    dump(shop, tmp_path / "dump")
    shop.execute("DELETE FROM much WHERE i > 10")
    before = look(shop.dsn())
    working = threading.Thread(target=kill_at_copy, args=(shop,))
    working.start()
    with pytest.raises(InputOutputFailed):
        restore(shop, tmp_path / "dump")
    working.join(30)
    after = look(shop.dsn())
    assert (after.description, after.counts) == (before.description, before.counts)
    restore(shop, tmp_path / "dump")
    assert count_rows(shop.dsn())["public.much"] == 300_000


def test_an_older_operation_restores_nothing(shop: Database, tmp_path: Path) -> None:
    before = dump(shop, tmp_path / "dump")
    shop.execute("INSERT INTO s1ctl.hold (fence, operation, heartbeat) VALUES (8, 'op-9', now())")
    with pytest.raises(InputOutputFailed) as caught:
        restore(shop, tmp_path / "dump", fence=7)
    assert "another operation" in caught.value.message
    assert look(shop.dsn()).counts == before.counts
    restore(shop, tmp_path / "dump", fence=8)


def test_the_fence_is_not_restored_to_a_former_number(shop: Database, tmp_path: Path) -> None:
    shop.execute("INSERT INTO s1ctl.hold (fence, operation, heartbeat) VALUES (3, 'op-1', now())")
    dump(shop, tmp_path / "dump")
    restore(shop, tmp_path / "dump", fence=7)
    assert shop.one("SELECT fence FROM s1ctl.hold") == 7


def kill_at_copy(database: Database) -> None:
    """End the server's process of a restore in the middle of its rows."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE 'COPY public.much%%' AND datname = current_database()",
            admin=True,
        )
        if found:
            return
        time.sleep(0.002)


def dump(database: Database, path: Path) -> Snapshot:
    with holding_snapshot(database.dsn()) as snapshot:
        command = ["pg_dump", "-Fc", f"--snapshot={snapshot.id}", "-f", str(path)]
        subprocess.run([*command, database.dsn().reveal()], check=True)
    return snapshot


def prove(database: Database, path: Path) -> Restored:
    stream: Iterator[bytes] = run_local(
        PROVE_ARGV,
        database.dsn(),
        doing="proof",
        environment=prove_environment(database.name, database.user, None),
        source=path,
        user="nobody" if os.geteuid() == 0 else None,
    )
    return read_inspection(stream)


def restore(database: Database, path: Path, *, fence: int = 7) -> None:
    environment = restore_environment(
        database.dsn(), str(path), operation="op-1", backup="b0001", fence=fence
    )
    for _ in run_local(RESTORE_ARGV, database.dsn(), doing="restore", environment=environment):
        pass


def difference(before: Snapshot, restored: Restored) -> str | None:
    return first_difference(
        restored,
        fingerprint=before.description.fingerprint,
        counts=before.counts,
        revisions=before.revisions,
        described=before.description,
    )


def apply(database: Database, revision: str) -> None:
    database.execute(
        "INSERT INTO s1ctl.applied (revision, release, digest, operation, plan, fence)"
        " VALUES (%s, '1.0.0', 'd', 'op-0', 'p', 1)",
        revision,
    )


def look(dsn: Secret) -> Snapshot:
    with holding_snapshot(dsn) as snapshot:
        return snapshot
