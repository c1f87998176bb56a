"""The ledger's file: made, opened, upgraded, and refused where it cannot be relied on."""

import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy.exc
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from s1ctl.data import data_folder
from s1ctl.errors import InputOutputFailed
from s1ctl.ledger import connection, migrate
from s1ctl.ledger.connection import make_engine, translated
from s1ctl.ledger.ledger import Ledger, open_ledger
from s1ctl.ledger.models import Row

NOW_NUMBER = migrate.SCHEMA
NEXT_NUMBER = NOW_NUMBER + 1
FORMER = b'{"format":1,"roots":[{"payload":"1"}]}'
LATER = b'{"format":1,"roots":[{"payload":"1"},{"payload":"%s"}]}' % (b"x" * 100_000)
NEXT = f"""
import sqlalchemy as sa
from alembic import op

revision = "{NEXT_NUMBER:04}"
down_revision = "{NOW_NUMBER:04}"


def upgrade():
    op.add_column("points", sa.Column("note", sa.Text()))
"""


def test_a_fresh_ledger_is_for_its_owner_alone(state: Path) -> None:
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert stat.S_IMODE((state / "ledger.db").stat().st_mode) == 0o600


def test_a_state_directory_that_others_may_read_is_closed(state: Path) -> None:
    state.chmod(0o755)
    open_ledger(state).close()
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_nothing_but_the_ledger_is_left_when_it_was_made(state: Path) -> None:
    assert [path.name for path in state.iterdir()] == ["ledger.db"]


def test_the_journal_is_durable_and_references_are_checked(ledger: Ledger) -> None:
    with ledger._database.reading() as session:
        values = [
            session.connection().exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert values == ["wal", 2, 1, connection.BUSY_TIMEOUT_MS]


def test_several_processes_may_make_the_ledger_at_once(tmp_path: Path) -> None:
    code = (
        "import sys,pathlib;from s1ctl.ledger.ledger import open_ledger as o;"
        "o(pathlib.Path(sys.argv[1])).close()"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "state")]) for _ in range(3)
    ]
    assert [run.wait(60) for run in runs] == [0, 0, 0]
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["ledger.db"]


def test_a_current_ledger_is_opened_without_alembic(state: Path) -> None:
    code = (
        "import sys,pathlib;from s1ctl.ledger.ledger import open_ledger as o;"
        "o(pathlib.Path(sys.argv[1])).close();sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(state)], check=False).returncode == 0


def test_the_migrations_make_what_the_models_say(state: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = make_engine(state / "ledger.db")
    with engine.connect() as open_connection:
        context = MigrationContext.configure(open_connection, opts={"compare_type": True})
        assert compare_metadata(context, Row.metadata) == []
        assert context.get_current_revision() == f"{migrate.SCHEMA:04}"
    engine.dispose()


def test_the_number_of_the_schema_is_that_of_the_newest_migration() -> None:
    versions = data_folder("migrations/ledger") / "versions"
    assert max(int(path.name[:4]) for path in versions.glob("*.py")) == migrate.SCHEMA


@pytest.mark.parametrize("table", Row.metadata.sorted_tables, ids=str)
def test_the_tables_can_be_made_in_postgresql(table: object) -> None:
    text = str(CreateTable(table).compile(dialect=postgresql.dialect()))  # type: ignore[arg-type, no-untyped-call]
    assert text.strip().startswith("CREATE TABLE")


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The migrations of the next s1ctl."""
    folder = tmp_path / "a % b"
    shutil.copytree(data_folder("migrations/ledger"), folder)
    (folder / "versions" / f"{NEXT_NUMBER:04}_note.py").write_text(NEXT)
    monkeypatch.setattr(migrate, "SCHEMA", NEXT_NUMBER)
    monkeypatch.setattr(migrate, "data_folder", lambda _: folder)
    return folder


def test_an_older_ledger_is_copied_aside_and_upgraded(state: Path, newer: Path) -> None:
    remember(state, b"former")
    open_ledger(state).close()
    copy = state / f"ledger.db.before-{NEXT_NUMBER}"
    assert (number(state / "ledger.db"), number(copy)) == (NEXT_NUMBER, NOW_NUMBER)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert roots(state / "ledger.db") == roots(copy) == [(b"former",)]


def test_the_s1ctl_before_refuses_an_upgraded_ledger_by_both_numbers(
    state: Path, newer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_ledger(state).close()
    monkeypatch.setattr(migrate, "SCHEMA", NOW_NUMBER)
    error = refusal(state)
    assert error.code == "S1-I20"
    assert f"schema {NEXT_NUMBER}" in error.message
    assert f"up to {NOW_NUMBER}" in error.message


def test_a_migration_that_fails_leaves_the_former_ledger(state: Path, newer: Path) -> None:
    (newer / "versions" / f"{NEXT_NUMBER:04}_note.py").write_text(
        NEXT + "    op.execute('nonsense')\n"
    )
    assert refusal(state).code == "S1-I23"
    assert number(state / "ledger.db") == NOW_NUMBER
    assert "note" not in columns(state / "ledger.db", "points")


def test_a_ledger_whose_making_fails_is_not_there(newer: Path, tmp_path: Path) -> None:
    (newer / "versions" / f"{NEXT_NUMBER:04}_note.py").write_text(
        NEXT + "    raise RuntimeError('cut')\n"
    )
    with pytest.raises(RuntimeError, match="cut"):
        open_ledger(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_who_comes_second_neither_upgrades_nor_copies_again(state: Path, newer: Path) -> None:
    for _ in range(2):
        migrate._upgrade(state / "ledger.db", NOW_NUMBER, NEXT_NUMBER)
    copy = state / f"ledger.db.before-{NEXT_NUMBER}"
    assert (number(state / "ledger.db"), number(copy)) == (NEXT_NUMBER, NOW_NUMBER)


@pytest.mark.parametrize("kept", [0, 1, 50, 100, 4096, 5000, 20480, -4096])
def test_a_truncated_ledger_is_refused(state: Path, kept: int) -> None:
    path = state / "ledger.db"
    path.write_bytes(path.read_bytes()[:kept])
    assert refusal(state).code == "S1-I23"


@pytest.mark.parametrize("page", range(0, 18, 3))
def test_a_torn_page_is_refused(state: Path, page: int) -> None:
    path = state / "ledger.db"
    raw = bytearray(path.read_bytes())
    raw[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    path.write_bytes(raw)
    assert refusal(state).code == "S1-I23"


def test_a_file_that_is_no_database_is_refused(state: Path) -> None:
    (state / "ledger.db").write_bytes(b"{}" * 5000)
    error = refusal(state)
    assert error.code == "S1-I23"
    assert "before-" in error.hint


def test_a_ledger_without_its_tables_is_refused(state: Path) -> None:
    with closing(sqlite3.connect(state / "ledger.db")) as raw:
        raw.execute("DROP TABLE roots")
    with open_ledger(state) as ledger, pytest.raises(InputOutputFailed) as caught:
        ledger.trust.root("acme")
    assert caught.value.code == "S1-I23"


@pytest.mark.parametrize("trace", ["ledger.db-wal", "ledger.db.before-2"])
def test_a_lost_ledger_is_not_made_anew(state: Path, trace: str) -> None:
    (state / "ledger.db").rename(state / trace)
    assert refusal(state).code == "S1-I27"
    assert not (state / "ledger.db").exists()


def test_a_state_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    assert refusal(tmp_path / "state").code == "S1-I28"


def test_a_full_disk_is_told_and_nothing_is_half_written(ledger: Ledger) -> None:
    ledger.trust.remember("acme", FORMER)
    pragma(ledger, "max_page_count=1")
    with pytest.raises(InputOutputFailed) as caught:
        ledger.trust.remember("acme", LATER)
    assert caught.value.code == "S1-I21"
    assert ledger.trust.root("acme") == FORMER


def test_a_ledger_that_may_not_be_written_is_told(ledger: Ledger) -> None:
    pragma(ledger, "query_only=1")
    with pytest.raises(InputOutputFailed) as caught:
        ledger.trust.remember("acme", b"x")
    assert caught.value.code == "S1-I22"


def test_a_ledger_in_use_is_told(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_MS", 10)
    with (
        open_ledger(state) as ledger,
        closing(sqlite3.connect(state / "ledger.db", isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InputOutputFailed) as caught:
            ledger.trust.remember("acme", b"x")
    assert caught.value.code == "S1-I24"


def subclasses(kind: type) -> list[type]:
    found = {kind}.union(*(subclasses(one) for one in kind.__subclasses__()))
    return sorted(found, key=lambda one: one.__name__)


@pytest.mark.parametrize("kind", subclasses(sqlalchemy.exc.DBAPIError), ids=lambda k: k.__name__)
def test_no_failure_of_the_library_escapes(kind: type, tmp_path: Path) -> None:
    with pytest.raises(InputOutputFailed) as caught, translated(tmp_path / "ledger.db"):
        raise kind("SELECT 1", None, sqlite3.OperationalError("cut"))
    assert caught.value.code == "S1-I25"


@pytest.mark.parametrize("kind", subclasses(sqlite3.Error), ids=lambda k: k.__name__)
def test_no_failure_of_sqlite_escapes(kind: type, tmp_path: Path) -> None:
    with pytest.raises(InputOutputFailed), translated(tmp_path / "ledger.db"):
        raise kind("cut")


def refusal(state: Path) -> InputOutputFailed:
    with pytest.raises(InputOutputFailed) as caught:
        open_ledger(state)
    return caught.value


def remember(state: Path, raw: bytes) -> None:
    with closing(sqlite3.connect(state / "ledger.db")) as database, database:
        database.execute("INSERT INTO roots VALUES ('acme', ?)", (raw,))


def number(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def roots(path: Path) -> list[tuple[bytes]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT raw FROM roots").fetchall()


def columns(path: Path, table: str) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return [row[1] for row in database.execute(f"PRAGMA table_info({table})")]


def pragma(ledger: Ledger, text: str) -> None:
    """Set a pragma on the ledger's pooled connection."""
    with ledger._database._engine.connect() as open_connection:
        open_connection.exec_driver_sql(f"PRAGMA {text}")
