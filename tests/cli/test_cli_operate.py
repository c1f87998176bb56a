import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from s1ctl.cli import outcome as words
from s1ctl.cli import plan_text
from s1ctl.cli.context import Here
from s1ctl.cli.operate import watch_of
from s1ctl.cli.output import Output
from s1ctl.cli.plan import parse_version
from s1ctl.cli.watch import watching
from s1ctl.errors import InputOutputFailed, PlanDiffers, S1Error, StepFailed, UsageError
from s1ctl.operation.events import Event
from s1ctl.operation.outcome import Outcome
from s1ctl.shape import changed
from tests.support.plans import install, upgrade

DONE = Outcome(
    operation="op-7", verb="upgrade", state="done", version="1.1.0", head="ab", seconds=61.2
)
LOG = Path("/state/logs/op-7.ndjson")
CAUSE = StepFailed("`web` is not ready", code="S1-E20", hint="read its log")
PROBE = {"requests": 9, "failed": 0, "worst_ms": 8.1, "p99_ms": 7.0, "longest_stall_ms": 50.0}


def test_a_way_back_that_was_asked_for_ends_with_0() -> None:
    assert words.code_of(replace(DONE, state="taken-back"), is_way_back=True) == 0


def test_what_comes_next_names_the_releases_and_the_direction() -> None:
    paused = replace(DONE, state="paused", error=CAUSE, origin="1.0.0", goal="1.1.0")
    text = "\n".join(words.describe(paused, 31, log=LOG))
    assert "`s1ctl resume` goes on to 1.1.0, `s1ctl rollback` takes it back to 1.0.0" in text
    turned = "\n".join(words.describe(replace(paused, is_turned_back=True), 31, log=LOG))
    assert "`s1ctl resume` goes on taking it back, to 1.0.0" in turned


@pytest.mark.parametrize("url", ["foo", "http:/x", "ftp://host/"])
def test_a_probe_that_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        watch_of(url)
    assert caught.value.code == "S1-U122"


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (DONE, 0),
        (replace(DONE, state="taken-back", error=CAUSE), 30),
        (replace(DONE, state="taken-back"), 30),
        (replace(DONE, state="paused", error=CAUSE), 31),
        (replace(DONE, state="paused", is_interrupted=True), 130),
    ],
)
def test_an_operation_ends_with_0_30_31_or_130(outcome: Outcome, code: int) -> None:
    assert words.code_of(outcome) == code
    assert words.document(outcome, code, log=LOG)["exit"] == code
    assert words.describe(outcome, code, log=LOG)


def test_the_cause_its_hint_and_the_log_are_the_last_lines() -> None:
    outcome = replace(DONE, state="taken-back", version="1.0.0", error=CAUSE, probe=PROBE)
    assert words.describe(outcome, 30, log=LOG) == [
        "upgrade failed, and its hop was taken back: the site is at 1.0.0, after 61 s",
        "probe: 9 requests, 0 failed, worst 8.1 ms, p99 7.0 ms, longest stall 50.0 ms",
        "operation op-7, journal head ab",
        "cause[S1-E20]: `web` is not ready",
        "hint: read its log",
        "log: /state/logs/op-7.ndjson",
    ]
    assert words.document(outcome, 30, log=LOG)["cause"] == {
        "code": "S1-E20",
        "message": "`web` is not ready",
        "hint": "read its log",
        "exit": 30,
    }


def test_a_pause_says_both_ways_on() -> None:
    text = "\n".join(words.describe(replace(DONE, state="paused", error=CAUSE), 31, log=LOG))
    assert "`s1ctl resume`" in text
    assert "`s1ctl rollback`" in text


def test_a_written_plan_is_read_back(tmp_path: Path) -> None:
    plan_text.write_plan(upgrade(), tmp_path / "plan.json")
    assert plan_text.read_plan(tmp_path / "plan.json") == upgrade()
    plan_text.check_approved(upgrade(), tmp_path / "plan.json")


def test_another_plan_than_the_approved_one_is_refused_with_the_difference(tmp_path: Path) -> None:
    plan_text.write_plan(upgrade(), tmp_path / "plan.json")
    with pytest.raises(PlanDiffers) as refused:
        plan_text.check_approved(install(), tmp_path / "plan.json")
    assert refused.value.code == "S1-N90"
    assert "-upgrade of" in refused.value.message
    assert "+install of" in refused.value.message


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data | {"digest": "sha256:" + "0" * 64},
        lambda data: {"plan": data["plan"]},
        lambda data: {"digest": data["digest"]},
        lambda data: data | {"plan": data["plan"] | {"site": "another"}},
        lambda _: [],
    ],
)
def test_a_plan_that_was_edited_is_refused(tmp_path: Path, spoil) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(spoil(json.loads(json.dumps(plan_text.document(upgrade()))))))
    with pytest.raises(UsageError) as refused:
        plan_text.read_plan(path)
    assert refused.value.code == "S1-U90"


def test_a_plan_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputOutputFailed) as refused:
        plan_text.read_plan(tmp_path / "none")
    assert refused.value.code == "S1-I01"
    with pytest.raises(InputOutputFailed) as refused:
        plan_text.write_plan(upgrade(), tmp_path / "none" / "plan.json")
    assert refused.value.code == "S1-I02"


def test_what_is_no_version_is_refused() -> None:
    with pytest.raises(UsageError) as refused:
        parse_version("newest")
    assert refused.value.code == "S1-U91"


def event(kind: str, **fields: object) -> Event:
    day = {"intent": 2}.get(kind, 1)  # the clock was set back meanwhile
    return Event(
        at=f"2026-03-0{day}T02:03:00+00:00",
        operation="op-7",
        event=kind,
        number=2,
        total=9,
        step="roll",
        **fields,
    )


@pytest.fixture
def here(tmp_path: Path) -> Here:
    class Site:
        state = tmp_path

    made = Here(output=Output(is_json=False, has_colour=False), environment={})
    made.__dict__["site"] = Site
    return made


def test_events_are_lines_on_stderr_and_ndjson_in_log_and_file(
    here, capsys, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("s1ctl.cli.watch.monotonic", iter((7.0, 10.0)).__next__)
    stream = tmp_path / "events"
    with watching(here, str(stream)) as observe:
        observe(event("intent", text="replace web"))
        observe(event("progress", text="wait for web", unit="steps"))
        observe(event("done", text="replace web", record={}))
        observe(event("done", text="pull", record={"found": True}))
        observe(event("failed", text="it \x1b[31mfell", direction="undo"))
    assert capsys.readouterr().err.splitlines() == [
        "  2/9  replace web (3.0 s)",
        "  2/9  pull (was there)",
        "  2/9  take back: failed: it \\x1b[31mfell",
    ]
    told = [json.loads(line) for line in stream.read_text().splitlines()]
    assert [one["event"] for one in told] == ["intent", "progress", "done", "done", "failed"]
    logged = (tmp_path / "logs" / "op-7.ndjson").read_text().splitlines()
    assert [json.loads(line)["event"] for line in logged] == ["intent", "done", "done", "failed"]


def test_a_place_for_events_that_cannot_be_written_is_refused(here, tmp_path) -> None:
    with (
        pytest.raises(S1Error) as refused,
        watching(here, str(tmp_path / "none" / "events")),
    ):
        pass
    assert refused.value.code == "S1-I02"


def test_a_descriptor_for_events_stays_open_for_its_owner(here) -> None:
    reading, writing = os.pipe()
    with watching(here, str(writing)) as observe:
        observe(event("done", text="replace web"))
    os.write(writing, b"mine")
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        assert told.read().endswith(b"\nmine")


def test_a_reader_of_events_that_goes_away_ends_no_operation(here, capsys, tmp_path) -> None:
    reading, writing = os.pipe()
    with watching(here, str(writing)) as observe:
        os.close(reading)
        for _ in range(2):
            observe(event("done", text="replace web"))
    os.close(writing)
    err = capsys.readouterr().err
    assert err.count("warning: the event stream cannot be written to any more") == 1
    assert err.count("replace web") == 2
    assert len((tmp_path / "logs" / "op-7.ndjson").read_text().splitlines()) == 2


def test_a_log_that_cannot_be_written_ends_no_operation(here, capsys, tmp_path) -> None:
    (tmp_path / "logs").write_text("")
    with watching(here, str(tmp_path / "events")) as observe:
        for _ in range(2):
            observe(event("done", text="replace web"))
    assert capsys.readouterr().err.count("warning: the operation's log cannot be written to") == 1
    assert len((tmp_path / "events").read_text().splitlines()) == 2


def test_a_terminal_that_goes_away_ends_no_operation(here, monkeypatch, tmp_path) -> None:
    def gone(_: str) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(here.output, "say", gone)
    with watching(here, str(tmp_path / "events")) as observe:
        for _ in range(2):
            observe(event("done", text="replace web"))
    assert len((tmp_path / "events").read_text().splitlines()) == 2


def test_the_exit_code_stays_when_nobody_reads_the_result(here, monkeypatch) -> None:
    def gone(*_: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(here.output, "result", gone)
    monkeypatch.setattr(sys, "stdout", sys.stderr)
    assert words.report(here, replace(DONE, state="paused", error=CAUSE)) == 31
    sys.stdout.close()


def test_a_difference_that_no_line_shows_is_told_by_its_values(tmp_path: Path) -> None:
    plan_text.write_plan(upgrade(), tmp_path / "plan.json")
    other = changed(upgrade(), target_id="engine-2")
    with pytest.raises(PlanDiffers) as refused:
        plan_text.check_approved(other, tmp_path / "plan.json")
    assert '-target_id: "engine-1"\n+target_id: "engine-2"' in refused.value.message


def test_a_changed_value_of_a_setting_is_told_once(tmp_path: Path) -> None:
    (release,) = upgrade().settings
    settings = upgrade().settings[release]
    other = changed(settings, values={"mode": "slow", "more": "1"})
    lines = plan_text.difference(upgrade(), changed(upgrade(), settings={release: other}))
    assert lines == [
        f'-settings.{release}.values.mode: "fast"',
        f'+settings.{release}.values.mode: "slow"',
        f'+settings.{release}.values.more: "1"',
    ]
