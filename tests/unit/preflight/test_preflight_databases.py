"""Judges of databases and of what is installed: facts in, judgement out."""

from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from s1ctl.preflight import databases, platform
from s1ctl.preflight.finding import Judgement
from s1ctl.preflight.needs import Needs
from tests.support.preflight import make_needs

SERVER = {"reason": None, "version": "15.4", "is_replica": False, "size": 1}
REFUSED = {"reason": "the password is wrong", "code": "S1-D02", "hint": "mend"}


def needs(**changes: Any) -> Needs:
    return make_needs(**{"databases": ("main",), "is_installed": True, **changes})


def seen(judgement: Judgement) -> str:
    assert judgement.observed is not None
    return judgement.observed.text


@pytest.mark.parametrize(
    ("change", "outcome"),
    [({}, "pass"), (REFUSED, "fail"), ({"is_replica": True}, "fail")],
)
def test_a_database_must_take_us_and_be_a_primary(change: dict[str, Any], outcome: str) -> None:
    values = {"pg.databases": {"main": {**SERVER, **change}}}
    assert databases.judge_connect(values, needs()).outcome == outcome


@pytest.mark.parametrize(
    ("version", "wanted", "outcome"),
    [
        ("15.4", ">=15", "pass"),
        ("15.4", ">=15.5", "fail"),
        ("13.9", ">=15", "fail"),
        ("13.9", "", "warn"),
    ],
)
def test_a_server_must_be_of_a_version_that_the_release_runs_on(
    version: str, wanted: str, outcome: str
) -> None:
    values = {"pg.databases": {"main": {**SERVER, "version": version}}}
    judgement = databases.judge_version(values, needs(postgresql=SpecifierSet(wanted)))
    assert judgement.outcome == outcome


RIGHTS: dict[str, Any] = {
    "reason": None, "user": "shop", "name": "db", "may_create": True, "schema": "public",
    "schemas": [["public", True, "shop"]], "foreign": [], "foreign_count": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words", "fix"),
    [
        ({"may_create": False}, "no CREATE", 'GRANT CREATE ON DATABASE "db" TO "shop";'),
        ({"schema": None}, "no schema", "SHOW search_path;"),
        (
            {"schemas": [["odd", False, "root"]]},
            "schema `odd` of `root`",
            'GRANT CREATE ON SCHEMA "odd" TO "shop";',
        ),
        (
            {"foreign": [["public", 'a"b', "root"]], "foreign_count": 3},
            "does not own `public.a\"b`, which is `root`'s, nor 2 others",
            'ALTER TABLE "public"."a""b" OWNER TO "shop";',
        ),
    ],
)
def test_each_right_that_is_lacking_is_named_with_the_statement_that_gives_it(
    change: dict[str, Any], words: str, fix: str
) -> None:
    judgement = databases.judge_privileges(
        {"pg.privileges": {"main": {**RIGHTS, **change}}}, needs()
    )
    assert judgement.outcome == "fail"
    assert words in seen(judgement)
    assert judgement.fix is not None
    assert judgement.fix.command == fix


def transaction(**changes: Any) -> dict[str, Any]:
    return {
        "pid": 7, "application": "report", "user": "nora", "state": "idle in transaction",
        "age_s": 1, "idle_s": 1, "tables": ["events"], **changes,
    }  # fmt: skip


PREPARED = {"name": "it's", "user": "nora", "age_s": 3}


@pytest.mark.parametrize(
    ("transactions", "prepared", "outcome", "words"),
    [
        ([], [], "pass", "0 open"),
        ([transaction(age_s=60)], [], "pass", "1 open"),
        ([transaction(age_s=61)], [], "fail", "pid 7 (user `nora`, application `report`)"),
        ([transaction(age_s=61, tables=[])], [], "pass", "none of them long"),
        ([transaction(idle_s=31, tables=[])], [], "warn", "idle in transaction for 31 s"),
        ([transaction(age_s=None, idle_s=None)], [], "warn", "may not be seen"),
        ([transaction(application="", age_s=99)], [], "fail", "without a name"),
        ([], [PREPARED], "fail", "prepared transaction `it's`"),
        ([transaction(idle_s=31), transaction(age_s=61)], [PREPARED], "fail", "for 61 s"),
    ],
)
def test_what_would_block_a_migration_fails_and_what_might_warns(
    transactions: list[Any], prepared: list[Any], outcome: str, words: str
) -> None:
    state = {"reason": None, "us": "s", "transactions": transactions, "prepared": prepared}
    judgement = databases.judge_activity({"pg.activity": {"main": state}}, needs())
    assert judgement.outcome == outcome
    assert words in seen(judgement)
    if judgement.fix and prepared and outcome == "fail" and not transactions:
        assert judgement.fix.command == "ROLLBACK PREPARED 'it''s';"


@pytest.mark.parametrize(
    ("change", "outcome", "words"),
    [
        ({}, "pass", "10 of 97 connections taken, 2 MiB"),
        ({"used": 69}, "warn", "69 of 97"),
        ({"used": 93}, "fail", "server are taken, 4 are left"),
        ({"used": 99}, "fail", "0 are left"),
        ({"limits": [{"of": "user", "max": 6, "used": 2}]}, "fail", "of the user"),
    ],
)
def test_connections_must_be_left(change: dict[str, Any], outcome: str, words: str) -> None:
    state = {"reason": None, "max": 100, "reserved": 3, "used": 10, "limits": [], "size": 2 << 20}
    judgement = databases.judge_capacity({"pg.capacity": {"main": {**state, **change}}}, needs())
    assert judgement.outcome == outcome
    assert words in seen(judgement)


JUDGES = {
    "pg.databases": databases.judge_version,
    "pg.privileges": databases.judge_privileges,
    "pg.activity": databases.judge_activity,
    "pg.capacity": databases.judge_capacity,
}


@pytest.mark.parametrize("fact", JUDGES)
def test_a_database_that_could_not_be_asked_is_not_known_to_be_good(fact: str) -> None:
    judgement = JUDGES[fact]({fact: {"main": REFUSED}}, needs())
    assert (judgement.outcome, "S1-D02" in seen(judgement)) == ("error", True)


@pytest.mark.parametrize("fact", JUDGES)
def test_a_database_that_comes_with_the_release_is_skipped(fact: str) -> None:
    wanted = needs(is_installed=False)
    assert JUDGES[fact]({fact: {}}, wanted).outcome == "skip"
    assert JUDGES[fact]({fact: {}}, needs(databases=())).outcome == "skip"


HOP = {"installed": "1.0.0", "goal": "1.2.0", "s1ctl": "0.4", "refusal": None}


def leg(version: str, *, loaded: bool = True, runs_here: bool = True) -> dict[str, Any]:
    return {
        "version": version, "why": "", "bytes": 1, "loaded": loaded,
        "needs_s1ctl": ">=9", "runs_here": runs_here,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "outcome", "words"),
    [
        ({"path": [leg("1.1.0"), leg("1.2.0")]}, "pass", "1.0.0 -> 1.1.0 -> 1.2.0"),
        ({"path": [leg("1.1.0", loaded=False), leg("1.2.0")]}, "fail", "not loaded: 1.1.0"),
        ({"path": [leg("1.2.0", runs_here=False)]}, "fail", "needs s1ctl `>=9`"),
        (
            {"path": [], "refusal": {"code": "S1-N01", "message": "no path", "hint": "load"}},
            "fail",
            "no path",
        ),
        ({"goal": "1.0.0"}, "skip", "no newer one"),
        ({"goal": None}, "skip", "no release is loaded"),
        ({"installed": None}, "skip", "nothing is installed"),
    ],
)
def test_the_path_must_be_allowed_and_loaded(
    change: dict[str, Any], outcome: str, words: str
) -> None:
    judgement = platform.judge_hop({"state.hop": {**HOP, **change}}, needs())
    assert judgement.outcome == outcome
    assert words in seen(judgement)


LINEAGE = [
    {"id": "1", "phase": "expand", "digest": "d1"},
    {"id": "2", "phase": "backfill", "digest": "d2"},
    {"id": "3", "phase": "contract", "digest": "d3"},
]
KNOWN = {"1.0.0": {"main": ["1", "2", "3"]}, "1.1.0": {"main": ["1", "2", "3", "4", "5"]}}


def truth(*ids: str, heads: tuple[str, ...] | None = None, digest: str = "d") -> dict[str, Any]:
    applied = [[one, f"{digest}{one}"] for one in ids]
    return {"reason": None, "heads": list(ids[-1:] if heads is None else heads), "applied": applied}


@pytest.mark.parametrize(
    ("found", "outcome", "words"),
    [
        (truth("1", "2", "3"), "pass", "at 3"),
        (truth("1", "2"), "pass", "1 contract pending"),
        (truth("1", "2", "3", "4"), "pass", "at 4 of 1.1.0"),
        (truth("1"), "fail", "behind: it is at 1, and release 1.0.0 has backfill 2"),
        (truth(), "fail", "behind: it is at nothing"),
        (truth("1", "2", "3", "9"), "fail", "ahead: it has 9"),
        (truth("1", "2", "3", "4", "9"), "fail", "unknown: revision 9"),
        (truth("1", "9"), "fail", "unknown: revision 9"),
        (truth("1", "2", "3", heads=("9",)), "fail", "unknown to every loaded release: 9"),
        (truth("1", "2", "3", heads=("2", "3")), "fail", "somebody else has changed it"),
        (truth("1", "2", "3", digest="x"), "fail", "another text"),
        (REFUSED, "error", "S1-D02"),
    ],
)  # fmt: skip
def test_a_database_that_is_elsewhere_in_its_lineage_is_told_how(
    found: dict[str, Any], outcome: str, words: str
) -> None:
    lineages = {"installed": "1.0.0", "databases": {"main": LINEAGE}, "known": KNOWN}
    values = {"state.lineages": lineages, "pg.truths": {"main": found}}
    judgement = platform.judge_migrations(values, needs())
    assert judgement.outcome == outcome
    assert words in seen(judgement)


def unit(name: str, ailment: str | None = None) -> dict[str, Any]:
    return {"unit": name, "version": "1.0.0", "container": f"acme-{name}-1", "ailment": ailment}


def test_a_unit_that_is_not_ready_is_named_with_its_log() -> None:
    values = {"state.health": [unit("a"), unit("b", "no answer"), unit("c", "none")]}
    judgement = platform.judge_health(values, needs())
    assert judgement.outcome == "fail"
    assert seen(judgement) == "b 1.0.0: no answer; and 1 more"
    assert judgement.fix is not None
    assert judgement.fix.command == "docker logs --tail 20 acme-b-1"
    assert platform.judge_health({"state.health": [unit("a")]}, needs()).outcome == "pass"
    assert platform.judge_health(values, needs(operation="op-1")).outcome == "skip"
    assert platform.judge_health(values, needs(is_installed=False)).outcome == "skip"
