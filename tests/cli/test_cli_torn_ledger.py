"""A ledger that is torn, lost, or of another time: refused or told, never believed."""

import json
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from s1ctl.ledger.ledger import open_ledger
from s1ctl.ledger.migrate import SCHEMA
from tests.support.cases import CASES, Case, outcome_of
from tests.support.ledgers import NOW, PLAN
from tests.support.operators import ENGINE, bytes_of, fill_ledger, write_site
from tests.support.preflight import PretendedEngine

Spoil = Callable[[Path], object]


@pytest.fixture
def site(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The ledger of a site at which one operation was done."""
    monkeypatch.setenv("S1CTL_SITE", str(write_site(tmp_path, state=tmp_path / "state")))
    fill_ledger(tmp_path / "state")
    return tmp_path / "state" / "ledger.db"


def empty(ledger: Path) -> None:
    ledger.write_bytes(b"")


def cut(ledger: Path) -> None:
    ledger.write_bytes(ledger.read_bytes()[: ledger.stat().st_size // 3])


def garble(ledger: Path) -> None:
    raw = bytearray(ledger.read_bytes())
    for place in range(4096, len(raw), 4096):
        raw[place : place + 64] = b"\xa5" * 64
    ledger.write_bytes(raw)


def lose(ledger: Path) -> None:
    ledger.rename(ledger.with_name("ledger.db.before-9"))


def renumber(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute(f"PRAGMA user_version={SCHEMA + 1}")


def rewrite(ledger: Path) -> None:
    """Change an entry of the journal by hand."""
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("UPDATE journal SET record='{\"found\":true}' WHERE number=2")
        connection.commit()


@pytest.mark.parametrize(
    ("spoil", "words", "case", "line"),
    [
        (empty, "is damaged: it is empty", CASES["ledger-empty"], ("status",)),
        (cut, "is damaged", CASES["ledger-cut"], ("status",)),
        (garble, "is damaged", CASES["ledger-garbled"], ("history",)),
        (lose, "is gone, but `ledger.db.before-9` is there", CASES["ledger-lost"], ("status",)),
        (renumber, f"has schema {SCHEMA + 1}", CASES["ledger-newer"], ("status",)),
        (rewrite, "journal entry 2 is not as", CASES["journal-changed"], ("history", "--verify")),
    ],
)
def test_a_ledger_that_is_not_what_it_was_is_not_acted_upon(
    run, site, *, spoil: Spoil, words: str, case: Case, line: tuple[str, ...]
) -> None:
    spoil(site)
    before = bytes_of(site.parent)
    status, out, err = run(*line, "--output", "json")
    found = json.loads(out)
    assert outcome_of(status, found) == case.outcome
    assert words in found["error"]["message"]
    assert "hint: " in err
    assert bytes_of(site.parent) == before


def test_a_journal_keeps_its_order_when_the_clock_is_set_back(run, site) -> None:
    with open_ledger(site.parent) as ledger:
        name = ledger.operations.open(PLAN, fence=2, at=NOW - timedelta(days=1)).id
        for number, hours in enumerate((1, -23, -22, 2)):
            ledger.operations.append(
                operation=name,
                step={"number": number, "kind": "roll"},
                direction="do",
                event="done",
                at=NOW + timedelta(hours=hours),
            )
        ledger.operations.set_state(name, "done")
    status, out, _ = run("history", "--verify", "--output", "json")
    found = json.loads(out)
    assert outcome_of(status, found) == CASES["clock-set-back"].outcome
    newest, oldest = found["operations"]
    assert (newest["operation"], oldest["operation"]) == ("op-2", "op-1")
    assert [entry["step"] for entry in newest["journal"]] == [0, 1, 2, 3]
    status, out, _ = run("status")
    assert status == 0
    assert "op-2 upgrade" in out


def container(operation: str) -> dict[str, object]:
    labels = {
        "dev.s1ctl.site": "acme",
        "dev.s1ctl.unit": "web",
        "dev.s1ctl.version": "1.1.0",
        "dev.s1ctl.operation": operation,
    }
    return {
        "Name": "/acme-web-1",
        "Config": {"Labels": labels, "Image": "r:5000/shop/web"},
        "NetworkSettings": {"Networks": {}},
        "State": {"Status": "running"},
    }


def test_a_ledger_that_was_restored_from_yesterday_is_told_by_what_runs(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(prefix="s1-", dir="/tmp") as folder:
        sock = Path(folder) / "e.sock"
        site = write_site(tmp_path, state=tmp_path / "state", socket=str(sock))
        monkeypatch.setenv("S1CTL_SITE", str(site))
        fill_ledger(tmp_path / "state")
        answers = {
            **ENGINE,
            "/containers/json": [{"Id": "1", "Names": ["/acme-web-1"]}],
            "/containers/acme-web-1/json": container("op-9"),
        }
        with PretendedEngine(answers).listening(sock):
            status, out, _ = run("status", "--output", "json")
            said = run("status")[1]
    found = json.loads(out)
    assert outcome_of(status, found) == CASES["ledger-older"].outcome
    assert "older-ledger" in {one["kind"] for one in found["drift"] or ()}, found["not_known"]
    assert "made by operation op-9" in " ".join(said.split())
