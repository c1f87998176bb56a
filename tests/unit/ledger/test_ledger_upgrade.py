"""Ledgers that former versions of s1ctl have written."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from s1ctl.errors import InputOutputFailed
from s1ctl.ledger import migrate
from s1ctl.ledger.ledger import open_ledger
from s1ctl.plan.steps import BackUp
from tests.support.ledgers import NOW, RELEASE

DATA = Path(__file__).parent / "data"


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A state directory as an s1ctl of schema 1 has left it, after an upgrade."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    with closing(sqlite3.connect(state / "ledger.db")) as database:
        database.executescript((DATA / "ledger-1.sql").read_text())
    return state


def test_a_ledger_of_schema_1_keeps_all_it_knew_and_takes_backups(first: Path) -> None:
    with open_ledger(first) as ledger:
        installed, point = ledger.releases.installed(), ledger.points.find("p-1")
        assert installed is not None
        assert installed.digest == RELEASE
        assert point is not None
        assert point.made_at == NOW
        assert point.backups["console"]["size_bytes"] == 1
        assert ledger.trust.root("acme") == b"root"
        assert ledger.operations.verify_chain() is None
        assert ledger.backups.all() == ()
        assert ledger.backups.next_id() == "b0001"
        assert ledger.waivers.all() == ()
    assert (first / "ledger.db.before-3").exists()


def test_a_plan_of_schema_1_is_still_read(first: Path) -> None:
    with open_ledger(first) as ledger:
        (operation,) = ledger.operations.history()
    step = operation.plan.hops[0].steps[1]
    assert step == BackUp(backup="", point="p-1", database="console", release=RELEASE)


def test_an_s1ctl_of_schema_1_refuses_what_this_one_wrote(
    first: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_ledger(first).close()
    monkeypatch.setattr(migrate, "SCHEMA", 1)
    with pytest.raises(InputOutputFailed) as caught:
        open_ledger(first)
    assert caught.value.code == "S1-I20"
    assert "schema 3" in caught.value.message
