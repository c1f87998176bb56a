"""One snapshot of a real PostgreSQL: described, counted and dumped while others write."""

import subprocess
from pathlib import Path

import pytest

from s1ctl.database.snapshot import Snapshot, count_rows, holding_snapshot
from s1ctl.site.secrets import Secret
from tests.support.postgres import Database
from tests.support.rich import RICH

pytestmark = pytest.mark.integration


def test_rows_are_counted_exactly_and_each_once(postgres: Database) -> None:
    postgres.execute(RICH)
    snapshot = look(postgres.dsn())
    assert snapshot.counts == {
        'shop.Odd "% name': 2,
        "shop.events_1": 7,
        "shop.orders": 3,
        "shop.users": 5,
    }
    assert snapshot.counts == count_rows(postgres.dsn())
    assert snapshot.server_version.startswith("15.")
    assert snapshot.size_bytes > 1_000_000


def test_what_others_write_meanwhile_is_in_neither_counts_nor_dump(
    postgres: Database, tmp_path: Path
) -> None:
    postgres.execute("CREATE TABLE t AS SELECT i FROM generate_series(1, 10) i")
    dump = tmp_path / "dump"
    with holding_snapshot(postgres.dsn()) as snapshot:
        postgres.execute("INSERT INTO t SELECT i FROM generate_series(1, 5) i")
        command = ["pg_dump", "-Fc", f"--snapshot={snapshot.id}", "-f", str(dump)]
        subprocess.run([*command, postgres.dsn().reveal()], check=True)
    assert snapshot.counts == {"public.t": 10}
    assert count_rows(postgres.dsn()) == {"public.t": 15}
    postgres.execute("DROP TABLE t")
    restore(dump, postgres.dsn())
    assert count_rows(postgres.dsn()) == {"public.t": 10}


def test_a_restored_database_has_the_same_fingerprint(postgres: Database, tmp_path: Path) -> None:
    postgres.execute(RICH)
    before = look(postgres.dsn())
    subprocess.run(
        ["pg_dump", "-Fc", "-f", str(tmp_path / "dump"), postgres.dsn().reveal()], check=True
    )
    postgres.execute("DROP SCHEMA shop CASCADE")
    restore(tmp_path / "dump", postgres.dsn())
    after = look(postgres.dsn())
    assert before.description.difference(after.description) is None
    assert before.description.fingerprint == after.description.fingerprint
    assert before.counts == after.counts


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("ALTER TABLE shop.orders DROP COLUMN note", "column `shop.orders.note` is missing"),
        ("ALTER TABLE shop.users ALTER id TYPE int", "column `shop.users.id` differs"),
        ("ALTER TABLE shop.orders ALTER state DROP NOT NULL", "column `shop.orders.state`"),
        ("ALTER TABLE shop.orders ALTER state SET DEFAULT 'paid'", "column `shop.orders.state`"),
        ("ALTER TABLE shop.orders VALIDATE CONSTRAINT later", "constraint `shop.orders.later`"),
        ("DROP INDEX shop.orders_new", "index `shop.orders_new` is missing"),
        ("DROP TRIGGER touch ON shop.orders", "trigger `shop.orders.touch` is missing"),
        ("ALTER TABLE shop.orders DISABLE TRIGGER touch", "trigger `shop.orders.touch` differs"),
        ("ALTER FUNCTION shop.touch() SECURITY DEFINER", "function `shop.touch()` differs"),
        ("ALTER SEQUENCE shop.tickets INCREMENT 3", "sequence `shop.tickets` differs"),
        ("CREATE OR REPLACE VIEW shop.open AS SELECT id, lower(state) AS s FROM shop.orders",
         "view `shop.open` differs"),
        ("ALTER TYPE shop.mood ADD VALUE 'so-so'", "type `shop.mood` differs"),
        ("CREATE TABLE shop.more (i int)", "column `shop.more.i` is new"),
        ("DROP POLICY own ON shop.users", "policy `shop.users.own` is missing"),
    ],
)  # fmt: skip
def test_whatever_changes_in_the_schema_changes_the_fingerprint_and_is_named(
    postgres: Database, change: str, told: str
) -> None:
    postgres.execute(RICH)
    before = look(postgres.dsn()).description
    postgres.execute(change)
    after = look(postgres.dsn()).description
    assert before.fingerprint != after.fingerprint
    difference = before.difference(after)
    assert difference is not None
    assert difference.startswith(told)


def test_order_owner_and_our_own_schema_are_not_in_the_fingerprint(postgres: Database) -> None:
    postgres.execute("CREATE TABLE a (i int); CREATE TABLE b (x int, y text)")
    before = look(postgres.dsn()).description
    postgres.execute(
        "DROP TABLE b; DROP TABLE a; CREATE TABLE b (gone int, y text, x int);"
        "ALTER TABLE b DROP COLUMN gone; CREATE TABLE a (i int); CREATE SCHEMA s1ctl;"
        "CREATE TABLE s1ctl.t (i int)"
    )
    postgres.execute("ALTER TABLE a OWNER TO postgres", admin=True)
    after = look(postgres.admin_dsn())
    assert before.fingerprint == after.description.fingerprint
    assert sorted(after.counts) == ["public.a", "public.b"]


def look(dsn: Secret) -> Snapshot:
    with holding_snapshot(dsn) as snapshot:
        return snapshot


def restore(dump: Path, dsn: Secret) -> None:
    subprocess.run(["pg_restore", "--exit-on-error", "-d", dsn.reveal(), str(dump)], check=True)
