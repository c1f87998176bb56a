"""What `history --verify` says of the journal, and how far that goes."""

import json
from pathlib import Path

import pytest

from s1ctl.ledger.ledger import open_ledger
from tests.support.ledgers import NOW, PLAN


@pytest.fixture
def heads(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A site with two journal entries; their hashes."""
    site = tmp_path / "site.yaml"
    monkeypatch.setenv("S1CTL_SITE", str(site))
    run(
        *("init", "--site", site, "--non-interactive", "--name", "acme", "--product", "shop"),
        *("--registry", "https://r:5000", "--state-dir", tmp_path / "state"),
    )
    with open_ledger(tmp_path / "state") as ledger:
        name = ledger.operations.open(PLAN, fence=1, at=NOW).id
        return [
            ledger.operations.append(
                operation=name, step={"number": 1}, direction="do", event=event, at=NOW
            ).hash
            for event in ("intent", "done")
        ]


def test_a_verified_journal_claims_nothing_about_its_end(run, heads) -> None:
    status, out, _ = run("history", "--verify")
    assert status == 0
    assert "every entry that is there is as it was written (its end: `--head HEX`)" in out


@pytest.mark.parametrize("place", [0, 1])
def test_a_head_that_was_kept_is_found_in_the_journal(run, heads, place: int) -> None:
    status, out, _ = run("history", "--verify", "--head", heads[place].upper())
    assert status == 0
    assert "the given head is among them" in out
    assert json.loads(run("history", "--output", "json")[1])["head"] == heads[1]


@pytest.mark.parametrize("words", [("--verify",), ()])
def test_a_head_that_the_journal_does_not_hold_is_told(run, heads, words) -> None:
    status, _, err = run("history", *words, "--head", "ab" * 32)
    assert status == 20
    assert "S1-I91" in err


def test_as_json_the_history_has_each_operations_journal_in_order(run, heads) -> None:
    [operation] = json.loads(run("history", "--output", "json")[1])["operations"]
    journal = [(entry["step"], entry["event"]) for entry in operation["journal"]]
    assert journal == [(1, "intent"), (1, "done")]
    numbers = [entry["entry"] for entry in operation["journal"]]
    assert numbers == sorted(numbers)
