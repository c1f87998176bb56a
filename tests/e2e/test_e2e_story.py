"""One site of `ledgerly` along its path of versions: each test goes on from the last."""

import pytest

from tests.support.foreign_load import Users, ask, count, write_entry
from tests.support.foreign_story import pending, reported, upgraded

pytestmark = pytest.mark.e2e


def test_two_hops_go_by_the_release_between_and_lose_nothing(ledgerly) -> None:
    for amount in range(20):
        write_entry(ledgerly.port, "before", amount)
    with Users(ledgerly.port) as users:
        ended = upgraded(ledgerly, "upgrade", "--to", "2.0.0")
    assert (ended["state"], ended["version"]) == ("done", "2.0.0")
    assert count(ledgerly.port) >= 20 + len(users.written)
    assert pending(ledgerly) == ["0010"]


def test_the_job_after_the_roll_has_added_up_the_entries(ledgerly) -> None:
    balances = {one["account"]: one["amount"] for one in ask(ledgerly.port, "GET", "/balances")[1]}
    assert balances["before"] == sum(range(20))


def test_a_rollback_before_the_contract_keeps_every_row(ledgerly) -> None:
    last = write_entry(ledgerly.port, "at-2.0.0", 7)
    kept = count(ledgerly.port)
    assert upgraded(ledgerly, "rollback")["version"] == "1.1.0"
    assert count(ledgerly.port) == kept
    newest = ask(ledgerly.port, "GET", "/entries?last=1")[1][0]
    assert (newest["id"], newest["amount"]) == (last, 7)
    write_entry(ledgerly.port, "at-1.1.0", 8)
    assert upgraded(ledgerly, "upgrade", "--to", "2.0.0")["version"] == "2.0.0"
    newest = ask(ledgerly.port, "GET", "/entries?last=1")[1][0]
    assert (newest["account"], newest["amount"]) == ("at-1.1.0", 8)


def test_a_contract_is_proven_first_and_closes_the_way_back(ledgerly) -> None:
    ended = upgraded(ledgerly, "db", "contract")
    assert ended["version"] == "2.0.0"
    assert pending(ledgerly) == []
    refused = ledgerly.s1ctl.data("rollback", "--yes", expected=22)
    assert refused["error"]["code"].startswith("S1-N")
    assert reported(ledgerly) == "2.0.0"
    write_entry(ledgerly.port, "after", 1)


def test_a_restore_past_the_contract_loses_what_it_announced_and_nothing_else(ledgerly) -> None:
    refused = ledgerly.s1ctl.data("rollback", "--restore", "--yes", expected=2)
    assert refused["error"]["code"] == "S1-U155"
    rows = count(ledgerly.port)
    ended = ledgerly.s1ctl.data("rollback", "--restore", "--accept-data-loss", "--yes")
    announced = ended["loss"]["announced"]["ledger"]["rows"]
    assert ended["version"] == reported(ledgerly) == "1.1.0"
    assert announced["public.entries"] > 0
    assert ended["loss"]["actual"] == {"ledger": announced}
    assert count(ledgerly.port) == rows - announced["public.entries"]
    write_entry(ledgerly.port, "after the restore", 1)
