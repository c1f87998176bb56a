"""The close of a release: when its contracts run, and what comes before them."""

import dataclasses
from typing import TypeGuard

import pytest

from s1ctl.errors import NoPath
from s1ctl.plan.explain import explain_plan
from s1ctl.plan.plan import Plan
from s1ctl.plan.planner import plan_contract, plan_install
from s1ctl.plan.steps import ApplyRevision, BackUp, ProveBackup
from tests.support.releases import make_view
from tests.support.sites import after, empty, installed, upgrade

ONE = (("e1", "expand", "1.0.0"),)
TWO = (*ONE, ("e2", "expand", "1.1.0"), ("b2", "backfill", "1.1.0"), ("c2", "contract", "1.1.0"))
THREE = (*TWO, ("e3", "expand", "2.0.0"), ("c3", "contract", "2.0.0"))
V1 = make_view("1.0.0", revisions=ONE)
V2 = make_view("1.1.0", revisions=TWO)
V3 = make_view("2.0.0", revisions=THREE)


def words(plan: Plan) -> list[list[str]]:
    """Say each hop in short words."""
    return [[_word(step) for step in hop.steps] for hop in plan.hops]


def _word(step: object) -> str:
    match step:
        case ApplyRevision():
            return step.revision
        case BackUp():
            return f"back up {step.backup} {step.point}"
        case ProveBackup():
            return f"prove {step.backup}"
        case _:
            return type(step).__name__


HOP_1 = ["RecordPoint", "back up b0001 p0002", "e2", "b2", "Roll", "Roll", "Soak", "RecordRelease"]
HOP_2 = [
    "back up b0002 None", "prove b0002", "c2", "RecordPoint", "e3", "Roll", "Roll", "Soak",
    "RecordRelease",
]  # fmt: skip


def test_the_close_of_a_release_comes_before_all_else_of_the_next_hop() -> None:
    plan = upgrade(installed(V1), V2, V3)
    assert words(plan) == [HOP_1, HOP_2]
    closing = [s for s in plan.hops[1].steps if isinstance(s, BackUp | ProveBackup)]
    assert {step.release for step in closing} == {V2.digest}
    assert plan.hops[1].steps[2] == ApplyRevision(
        database="main", revision="c2", phase="contract", release=V3.digest
    )


def test_a_contract_that_only_the_next_release_brings_is_taken_from_it() -> None:
    early = make_view("1.1.0", revisions=TWO[:-1])
    site = after(installed(V1), upgrade(installed(V1), early), V1, early)
    assert plan_contract(site, early).is_empty
    assert words(upgrade(site, V3)) == [HOP_2]


def test_two_upgrades_of_one_hop_do_what_one_of_two_hops_does() -> None:
    site = installed(V1)
    first = upgrade(site, V2)
    second = upgrade(after(site, first, V1, V2), V3)
    assert words(first) + words(second) == [HOP_1, HOP_2]


def test_the_last_close_is_left_for_later_unless_it_is_asked_for() -> None:
    plan = upgrade(installed(V1), V2, V3, is_contract=True)
    assert words(plan) == [HOP_1, HOP_2, ["back up b0003 None", "prove b0003", "c3"]]
    assert plan.hops[2].to == V3.digest


def test_a_hop_without_a_schema_step_leaves_a_contract_pending() -> None:
    patch = make_view("1.1.1", revisions=TWO)
    site = after(installed(V1), upgrade(installed(V1), V2), V1, V2)
    assert words(upgrade(site, patch)) == [["RecordPoint", "Roll", "Roll", "Soak", "RecordRelease"]]


def test_a_contract_that_was_left_is_closed_by_the_next_hop_that_has_a_schema_step() -> None:
    patch = make_view("1.1.1", revisions=TWO)
    plan = upgrade(installed(V1), V2, patch, V3)
    assert [hop for hop in words(plan) if "c2" in hop] == [HOP_2]
    assert plan.hops[2].steps[0].release == patch.digest  # type: ignore[union-attr]


def test_a_contract_alone_is_backed_up_and_proven_first() -> None:
    site = after(installed(V1), upgrade(installed(V1), V2), V1, V2)
    plan = plan_contract(site, V2)
    assert (plan.verb, words(plan)) == ("contract", [["back up b0002 None", "prove b0002", "c2"]])


def test_where_no_contract_is_pending_there_is_nothing_to_do() -> None:
    plan = plan_contract(installed(V3), V3)
    assert plan.is_empty
    assert "nothing to do" in explain_plan(plan)[1]


def test_the_last_contracts_of_a_database_that_was_kept_stay_pending() -> None:
    kept = dataclasses.replace(empty(), kept=frozenset({"main"}))
    revisions = [s.revision for s in plan_install(kept, V2).hops[0].steps if is_revision(s)]
    assert revisions == ["e1", "e2", "b2"]
    fresh = [s.revision for s in plan_install(empty(), V2).hops[0].steps if is_revision(s)]
    assert fresh == ["e1", "e2", "b2", "c2"]


def is_revision(step: object) -> TypeGuard[ApplyRevision]:
    return isinstance(step, ApplyRevision)


def test_a_site_that_wants_backups_only_before_contracts_gets_those() -> None:
    site = dataclasses.replace(installed(V1), is_backup_wanted=False)
    backups = [s for hop in upgrade(site, V2, V3).hops for s in hop.steps if isinstance(s, BackUp)]
    assert [step.backup for step in backups] == ["b0001"]


def test_a_contract_of_a_release_that_does_not_run_yet_is_not_jumped_over() -> None:
    with pytest.raises(NoPath) as refused:
        upgrade(installed(V1), V3)
    assert refused.value.code == "S1-N04"
    assert "c2" in refused.value.message
    assert "--to 1.1.0" in refused.value.hint


def test_an_addition_behind_a_contract_of_the_same_release_is_refused() -> None:
    crooked = make_view("1.1.0", revisions=(*TWO, ("e9", "expand", "1.1.0")))
    with pytest.raises(NoPath) as refused:
        upgrade(installed(V1), crooked)
    assert refused.value.code == "S1-N04"


def test_a_database_that_holds_nothing_yet_gets_its_whole_lineage_in_order() -> None:
    plan = upgrade(installed(make_view("1.0.0")), V3)
    applied = [s.revision for s in plan.hops[0].steps if isinstance(s, ApplyRevision)]
    assert applied == ["e1", "e2", "b2", "c2", "e3", "c3"]
    assert "point of no return:" not in "\n".join(explain_plan(plan))


def test_the_point_of_no_return_is_said_before_the_contract_with_what_a_restore_loses() -> None:
    lines = explain_plan(upgrade(installed(V1), V2, V3))
    place = next(i for i, line in enumerate(lines) if "point of no return:" in line)
    assert "a restore to backup b0002 loses every write made after it" in lines[place]
    assert lines[place + 1].endswith("contract main: c2")
    assert sum("point of no return:" in line for line in lines) == 1
    assert "--restore" in lines[-2]


def test_a_plan_that_contracts_nothing_has_no_point_of_no_return() -> None:
    lines = explain_plan(upgrade(installed(V1), V2))
    assert "no point of no return" in lines[-2]
    assert not any("point of no return:" in line for line in lines)


def test_the_title_names_each_release_once() -> None:
    lines = explain_plan(upgrade(installed(V1), V2, V3, is_contract=True))
    assert lines[0].endswith("1.0.0 -> 1.1.0 -> 2.0.0")
    assert any(line.startswith("close of 2.0.0") for line in lines)
