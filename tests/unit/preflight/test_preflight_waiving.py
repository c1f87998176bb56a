"""Waivers: each covers the faults that were seen when it was given, and no other."""

from typing import Any

import pytest

from s1ctl.ledger.waivers import Waiver
from s1ctl.preflight import databases, platform
from s1ctl.preflight.check import Check, evaluate
from s1ctl.preflight.finding import Finding, failed, names_of, worst_of
from s1ctl.preflight.waiving import honour
from s1ctl.shape import changed
from s1ctl.site.facts import Fact, Facts
from tests.support.ledgers import NOW, RELEASE
from tests.support.preflight import make_needs

CHECKS = {check.id: check for check in (*databases.CHECKS, *platform.CHECKS)}


def judged(name: str, value: Any) -> Finding:
    check: Check = CHECKS[name]
    facts = Facts(
        taken_at=NOW.isoformat(), items={check.facts[0]: Fact(value=value, source="a test")}
    )
    (finding,) = evaluate([check], facts, make_needs(databases=("main",), is_installed=True))
    return finding


def waiver_of(finding: Finding) -> Waiver:
    assert finding.observed is not None
    return Waiver(
        check=finding.id, release=RELEASE, version="1.0.0", outcome="fail",
        observed=finding.observed.text, reason="it is ours", who="nora", host="h1", at=NOW,
        about=names_of(finding.observed),
    )  # fmt: skip


def text_of(finding: Finding) -> str:
    assert finding.observed is not None
    return finding.observed.text


def units(*ill: str) -> list[dict[str, Any]]:
    return [
        {"unit": unit, "version": "1.0.0", "container": f"acme-{unit}-1",
         "ailment": f"{unit} ended" if unit in ill else None}
        for unit in ("web", "store")
    ]  # fmt: skip


def test_a_unit_that_was_answered_for_does_not_cover_another() -> None:
    given = waiver_of(judged("state.health", units("web")))
    (same,) = honour([judged("state.health", units("web"))], [given])
    assert same.outcome == "skip"
    (other,) = honour([judged("state.health", units("store"))], [given])
    (both,) = honour([judged("state.health", units("web", "store"))], [given])
    assert (other.outcome, both.outcome) == ("fail", "fail")
    assert text_of(other).startswith("store 1.0.0: store ended; the waiver of nora was for")
    assert text_of(other).endswith("something else: web 1.0.0: web ended")


def test_what_is_over_needs_no_answer_any_more() -> None:
    given = waiver_of(judged("state.health", units("web", "store")))
    assert honour([judged("state.health", units("store"))], [given])[0].outcome == "skip"


def session(application: str, table: str, pid: int = 7, age_s: int = 100) -> dict[str, Any]:
    return {"pid": pid, "application": application, "user": "nora", "state": "active",
            "age_s": age_s, "idle_s": None, "tables": [table]}  # fmt: skip


def activity(*sessions: dict[str, Any]) -> Finding:
    state = {"reason": None, "us": "shop", "transactions": list(sessions), "prepared": []}
    return judged("pg.activity", {"main": state})


@pytest.mark.parametrize(
    ("later", "outcome"),
    [
        ([session("report", "stock", pid=9, age_s=4000)], "skip"),
        ([session("import", "stock")], "fail"),
        ([session("report", "orders")], "fail"),
        ([session("report", "stock"), session("import", "stock", pid=8)], "fail"),
        ([session("report", "stock"), session("report", "stock", pid=8)], "fail"),
    ],
)
def test_a_session_that_was_answered_for_does_not_cover_another(
    later: list[dict[str, Any]], outcome: str
) -> None:
    given = waiver_of(activity(session("report", "stock")))
    assert honour([activity(*later)], [given])[0].outcome == outcome


def test_a_waiver_of_an_older_s1ctl_covers_what_reads_the_same() -> None:
    finding = judged("state.health", units("web"))
    older = changed(waiver_of(finding), about=())
    assert honour([finding], [older])[0].outcome == "fail"
    plain = changed(finding, observed=failed(text_of(finding)).observed)
    assert honour([plain], [older])[0].outcome == "skip"


def test_the_worst_is_told_and_it_is_about_all_that_stops() -> None:
    found = worst_of(
        [failed("a warning", outcome="warn"), failed("unknown", outcome="error"), failed("bad")]
    )
    assert found is not None
    assert (found.outcome, names_of(found.observed)) == ("fail", ("unknown", "bad"))
    assert worst_of([]) is None
