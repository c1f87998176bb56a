"""Every sentence of the README that claims something has tests whose names say it."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")

CONSOLE = "tests/integration/test_atlas_console.py"
LINEAGE = "tests/integration/test_atlas_lineage.py"
CRASH = "tests/crash/test_crash_fake_world.py"
DEMO = "tests/unit/demo/test_demo_story.py"
SITE = "tests/e2e/test_e2e_site.py"
VENDOR = "tests/e2e/test_e2e_vendor.py"

NOBODY_NOTICES = (
    f"{SITE}::test_a_site_is_upgraded_and_goes_back_without_bundle_and_registry_and_nobody_notices"
)
CLAIMS = {
    "at sites that have no network to the outside": (NOBODY_NOTICES,),
    "A vendor builds one **signed bundle**": (
        f"{VENDOR}::test_a_bundle_is_verified_by_root_and_fingerprint",
        "tests/unit/bundle/test_bundle_build.py::test_what_was_built_is_verified_by_the_root_of_its_vendor",
        "tests/unit/bundle/test_bundle_build.py::test_blobs_lie_in_order_each_once_with_the_layers_last",
    ),
    "It crosses on a disk": (
        "tests/unit/bundle/test_bundle_reader.py::test_a_bundle_is_read_from_media_that_nobody_can_write",
    ),
    "loads it into the private registry": (
        "tests/integration/test_load_registry.py::test_a_bundle_is_loaded_whole",
    ),
    "lets s1ctl prove that the site is ready": (
        "tests/integration/test_preflight_engine.py::test_the_engine_of_this_machine_passes",
        "tests/integration/test_preflight_engine.py::test_the_engine_is_only_read",
    ),
    "sees the plan before anything changes": (
        "tests/cli/test_cli_plan_first.py::test_the_plan_is_shown_before_anything_changes",
        "tests/cli/test_cli_plan_first.py::test_a_dry_run_shows_the_plan_and_does_nothing",
        f"{SITE}::test_only_the_approved_plan_is_applied",
    ),
    "expand the schema, backfill, replace the services one by one, watch their health": (
        "tests/unit/plan/test_plan_planner.py::test_an_upgrade_backs_up_before_the_schema_and_soaks_before_the_record",
        "tests/integration/test_database_runner.py::test_a_lineage_lives_its_whole_life_while_old_code_writes",
        "tests/integration/test_targets_zero_loss.py::test_replacing_an_app_and_going_back_fails_no_request",
        "tests/integration/test_targets_zero_loss.py::test_replacing_the_edge_fails_no_request",
    ),
    "count what users noticed": (
        NOBODY_NOTICES,
        "tests/unit/targets/test_targets_probe.py::test_a_failed_request_is_counted_with_its_reason",
    ),
    "Every step can be killed and resumed": (
        f"{CRASH}::test_killed_at_every_moment_and_resumed_the_end_is_that_of_an_undisturbed_run",
        f"{CRASH}::test_killed_at_every_moment_and_rolled_back_nothing_of_the_hop_is_left",
        f"{SITE}::test_an_upgrade_killed_in_the_middle_is_finished_by_resume",
    ),
    "after a rollback, the rows written meanwhile are still there": (
        f"{CONSOLE}::test_after_a_rollback_the_rows_written_meanwhile_are_still_there",
        "tests/unit/plan/test_plan_planner.py::test_a_rollback_takes_the_edge_back_first_and_touches_no_schema",
    ),
    "both commands install what they need first": (
        f"{DEMO}::test_both_commands_of_the_readme_install_what_they_need_first",
    ),
    "builds the images": (
        "tests/integration/test_atlas_images.py::test_a_second_build_gives_the_same_bytes",
    ),
    "upgrades to 2.0.0 over 1.1.0, goes back to 1.1.0, upgrades again": (
        f"{DEMO}::test_the_demo_goes_up_and_back_and_up_then_contracts_and_has_a_broken_release_taken_back",
        f"{LINEAGE}::test_after_a_rollback_to_1_1_0_its_clients_find_what_2_0_0_wrote",
    ),
    "contracts the schema, and tries 2.1.0, which is broken and is taken back": (
        f"{DEMO}::test_the_demo_goes_up_and_back_and_up_then_contracts_and_has_a_broken_release_taken_back",
        f"{LINEAGE}::test_a_contract_fails_no_request_of_the_release_that_runs",
        f"{LINEAGE}::test_2_1_0_never_becomes_ready_and_says_why",
    ),
    "that of another checkout is not touched": (
        f"{DEMO}::test_the_demo_of_another_checkout_is_not_wrecked",
    ),
    "starts a private registry with its own CA, installs 1.0.0, stages 1.1.0 and 2.0.0": (
        f"{DEMO}::test_the_demo_stages_then_takes_the_bundles_away_and_stops_the_registry",
        NOBODY_NOTICES,
    ),
    "50 requests per second of which half write": (
        f"{DEMO}::test_the_demo_sends_50_requests_per_second_of_which_half_write",
    ),
    "a table: requests, failed, worst latency, rows written, rows lost": (
        f"{DEMO}::test_the_demo_ends_with_a_table_of_requests_failures_latency_and_rows",
        f"{DEMO}::test_the_demo_fails_when_a_request_failed_or_a_row_is_lost",
        "tests/integration/test_atlas_console.py::test_the_load_client_counts_and_finds_what_it_wrote_and_what_is_lost",
    ),
    "The same is in `dist/demo/result.json`": (
        f"{DEMO}::test_the_demo_writes_the_numbers_of_its_table_to_result_json",
    ),
    "`make demo-clean` removes all of it": (
        f"{DEMO}::test_cleaning_up_takes_only_what_bears_the_demos_label",
    ),
    "`make test` runs lint, types, unit, integration": (
        "tests/unit/test_test_run.py::test_a_run_has_lint_types_unit_integration_command_line_and_end_to_end_tests",
        "tests/unit/test_test_run.py::test_what_is_skipped_is_printed_with_its_reason_and_the_summary_has_the_counts",
    ),
    "After `load` nothing needs the disk; after `upgrade --stage` nothing needs the registry": (
        NOBODY_NOTICES,
        "tests/unit/ledger/test_ledger_store.py::test_a_stored_release_is_opened_verified",
    ),
    "`s1ctl explain CODE` explains every refusal offline": (
        "tests/test_explain.py::test_every_code_in_use_is_explained",
    ),
}
NO_CLAIM = ("What has changed for operators is in", "Licence: ")


def test_the_readme_says_what_is_claimed_for_it() -> None:
    assert [claim for claim in CLAIMS if claim not in README] == []


@pytest.mark.parametrize("claim", CLAIMS)
def test_each_claim_of_the_readme_has_its_tests(claim: str) -> None:
    missing = [node for node in CLAIMS[claim] if node.partition("::")[2] not in names_of(node)]
    assert missing == []


def test_no_sentence_of_the_readme_is_without_a_claim_that_is_tested() -> None:
    told = [*CLAIMS, *NO_CLAIM]
    assert [each for each in sentences() if not any(words in each for words in told)] == []


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def names_of(node: str) -> frozenset[str]:
    return names_in(node.partition("::")[0])


def sentences() -> list[str]:
    """Take the prose apart: what is neither heading, table nor block of code."""
    prose = re.sub(r"^(```.*?^```|[#|].*?)$", "", README, flags=re.DOTALL | re.MULTILINE)
    paragraphs = [re.sub(r"\s+", " ", text).strip() for text in prose.split("\n\n")]
    return [s for text in paragraphs for s in re.split(r"(?<=[.!?]) (?=[A-Z`*])", text) if s]
