"""A site of `ledgerly` 2.0.0: releases that fail, and the second day. Each test goes on."""

import pytest

from tests.support.foreign import BAD_EDGE, BAD_MIGRATION, NEVER_READY, WRONG_VERSION
from tests.support.foreign_load import Users, ask, count, write_entry
from tests.support.foreign_story import reported, running, upgraded

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("version", [NEVER_READY, BAD_EDGE, WRONG_VERSION])
def test_a_release_that_fails_is_taken_back_by_itself(newest_ledgerly, version: str) -> None:
    before = running(newest_ledgerly)
    ended = upgraded(newest_ledgerly, "upgrade", "--to", version, expected=30)
    assert ended["version"] == "2.0.0"
    assert ended["cause"]["code"].startswith("S1-E")
    assert running(newest_ledgerly) == before
    assert newest_ledgerly.s1ctl.data("status")["unfinished"] is None


def test_one_value_is_changed_and_only_its_unit_is_replaced(newest_ledgerly) -> None:
    before = running(newest_ledgerly)
    text = newest_ledgerly.site_file.read_text()
    newest_ledgerly.site_file.write_text(text.replace("values:\n", "values:\n  title: the books\n"))
    upgraded(newest_ledgerly, "apply")
    assert ask(newest_ledgerly.port, "GET", "/")[1]["title"] == "the books"
    after = running(newest_ledgerly)
    assert {unit for unit in after if after[unit] != before[unit]} == {"front"}
    assert upgraded(newest_ledgerly, "rollback")["version"] == "2.0.0"
    assert ask(newest_ledgerly.port, "GET", "/")[1]["title"] == "ledgerly"
    newest_ledgerly.site_file.write_text(text)


def test_the_databases_password_is_rotated_under_load_without_a_failed_request(
    newest_ledgerly,
) -> None:
    before = running(newest_ledgerly)
    former = newest_ledgerly.s1ctl("secret", "show", "ledger_password", "--reveal")
    with Users(newest_ledgerly.port) as users:
        upgraded(newest_ledgerly, "secret", "rotate", "ledger_password")
    assert users.faults == []
    assert len(users.written) > 0
    after = running(newest_ledgerly)
    assert {unit for unit in after if after[unit] != before[unit]} == {"books"}
    assert newest_ledgerly.s1ctl("secret", "show", "ledger_password", "--reveal") != former
    words = ("--only", "pg", "--only", "state.migrations", "--only", "state.health")
    found = newest_ledgerly.s1ctl.data("preflight", "--for", "doctor", *words)["findings"]
    assert {one["id"]: one["outcome"] for one in found if one["outcome"] != "pass"} == {}
    assert "pg.privileges" in {one["id"] for one in found}


def test_a_migration_that_fails_leaves_the_site_at_its_release(newest_ledgerly) -> None:
    ended = upgraded(newest_ledgerly, "upgrade", "--to", BAD_MIGRATION, expected=30)
    assert ended["version"] == "2.0.0"
    write_entry(newest_ledgerly.port, "after", 1)


def test_prune_removes_what_nothing_names_and_the_site_works_on(newest_ledgerly) -> None:
    plan = newest_ledgerly.s1ctl.data("prune", "--keep", "1", "--dry-run")["plan"]
    gone = {release["version"] for release in plan["releases"]}
    assert gone
    assert "2.0.0" not in gone
    done = newest_ledgerly.s1ctl.data("prune", "--keep", "1", "--yes")
    assert "garbage-collect" in done["collect"]
    assert newest_ledgerly.s1ctl.data("prune", "--keep", "1", "--dry-run")["plan"]["releases"] == []
    assert reported(newest_ledgerly) == "2.0.0"


def test_what_is_uninstalled_keeps_its_data(newest_ledgerly) -> None:
    kept = count(newest_ledgerly.port)
    newest_ledgerly.s1ctl("uninstall", "--yes")
    assert newest_ledgerly.s1ctl.data("status")["running"] == []
    assert kept > 0
