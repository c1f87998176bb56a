"""The ledger read without SQLite: what it says is what SQLite would say after a crash."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from s1ctl.errors import InputOutputFailed
from s1ctl.ledger import ledger as opened
from s1ctl.ledger import snapshot
from s1ctl.ledger.ledger import Ledger, look_at_ledger, open_ledger
from s1ctl.ledger.migrate import SCHEMA, current_copy
from s1ctl.ledger.snapshot import LOG, merged, read_snapshot
from tests.support.ledgers import NOW, PLAN

DATA = Path(__file__).parent / "data"


@pytest.fixture
def crashed(state: Path, tmp_path: Path) -> Path:
    """A ledger whose newest entries are in its log alone, as after `kill -9`."""
    with open_ledger(state) as ledger:
        name = ledger.operations.open(PLAN, fence=1, at=NOW).id
        for number in range(20):
            ledger.operations.append(
                operation=name, step={"number": number}, direction="do", event="intent", at=NOW
            )
        shutil.copytree(state, tmp_path / "crashed")
    return tmp_path / "crashed" / "ledger.db"


def dump_of(raw: bytes) -> list[str]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(raw)
        return list(connection.iterdump())


def dump_by_sqlite(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_the_copy_has_what_only_the_log_has(crashed: Path) -> None:
    raw = read_snapshot(crashed)
    assert crashed.with_name("ledger.db" + LOG).stat().st_size > 32
    assert dump_of(raw) == dump_by_sqlite(crashed)
    assert sum('INSERT INTO "journal"' in line for line in dump_of(raw)) == 20


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.5, 0.77, 0.9999])
def test_a_log_that_was_cut_counts_up_to_its_last_whole_commit(crashed: Path, share) -> None:
    log = crashed.with_name("ledger.db" + LOG)
    cut = log.read_bytes()[: int(log.stat().st_size * share)]
    log.write_bytes(cut)
    assert dump_of(read_snapshot(crashed)) == dump_by_sqlite(crashed)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 0.95])
def test_a_log_that_was_changed_counts_up_to_the_change(crashed: Path, share) -> None:
    log = crashed.with_name("ledger.db" + LOG)
    raw = bytearray(log.read_bytes())
    raw[40 + int((len(raw) - 41) * share)] ^= 0x10
    log.write_bytes(raw)
    assert dump_of(read_snapshot(crashed)) == dump_by_sqlite(crashed)


def test_a_log_of_a_former_life_counts_for_nothing(crashed: Path) -> None:
    raw = crashed.read_bytes()
    assert dump_of(merged(raw, b"")) == dump_of(merged(raw, bytes(4096)))


def test_a_ledger_that_never_stands_still_is_not_believed(
    crashed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled = read_snapshot(crashed)
    moving = iter(range(2 * snapshot.TRIES))
    monkeypatch.setattr(snapshot, "_stands", lambda _: next(moving))
    with pytest.raises(InputOutputFailed, match="changed while it was read, 5 times") as caught:
        read_snapshot(crashed)
    assert caught.value.code == "S1-I24"
    late = iter([1, 2, 3, 4, 5, 6, 7, 8, 9, 9])
    monkeypatch.setattr(snapshot, "_stands", lambda _: next(late))
    assert read_snapshot(crashed) == settled


def refusing(state: Path) -> Ledger:
    raise InputOutputFailed("the disk is full", code="S1-I21", hint="make room")


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "open_ledger", refusing)


@pytest.mark.usefixtures("full")
def test_a_ledger_that_cannot_be_written_is_read_and_says_why(crashed: Path) -> None:
    with look_at_ledger(crashed.parent) as ledger:
        assert ledger.fault is not None
        assert ledger.fault.code == "S1-I21"
        assert len(ledger.operations.entries("op-1")) == 20
        assert ledger.operations.verify_chain() is None
        with pytest.raises(InputOutputFailed) as refused:
            ledger.operations.set_state("op-1", "done")
        assert refused.value is ledger.fault


@pytest.mark.usefixtures("full")
def test_where_none_can_be_made_it_is_empty(tmp_path: Path) -> None:
    with look_at_ledger(tmp_path / "none") as ledger:
        assert ledger.operations.history() == ()
        assert ledger.releases.installed() is None
    assert not (tmp_path / "none").exists()


@pytest.mark.usefixtures("full")
def test_one_that_was_lost_is_not_taken_for_one_that_never_was(crashed: Path) -> None:
    crashed.unlink()
    with pytest.raises(InputOutputFailed) as refused:
        look_at_ledger(crashed.parent)
    assert refused.value.code == "S1-I27"


@pytest.mark.usefixtures("full")
def test_a_damaged_one_is_not_read(crashed: Path) -> None:
    crashed.with_name("ledger.db" + LOG).unlink()
    crashed.write_bytes(b"\xff" * 8192)
    with pytest.raises(InputOutputFailed) as refused:
        look_at_ledger(crashed.parent)
    assert refused.value.code == "S1-I23"


def test_an_older_one_is_brought_up_to_date_in_memory_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((DATA / "ledger-1.sql").read_text())
    before = path.read_bytes()
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(current_copy(path))
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
        assert connection.execute("SELECT count(*) FROM backups").fetchone() == (0,)
    assert path.read_bytes() == before
