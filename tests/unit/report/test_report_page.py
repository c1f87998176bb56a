"""The page of a report: whole, self-contained, escaped, true to the journal."""

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from s1ctl.errors import StepFailed
from s1ctl.operation.operate import apply_plan, resume
from s1ctl.report.page import render_page
from s1ctl.report.report import Evidence, ReleaseProof, Report, make_report
from s1ctl.report.words import essentials, seconds_text, size_text, tick_text
from s1ctl.targets.probe import ProbeNumbers
from tests.support.plans import FIRST, SECOND, install, number_of, upgrade
from tests.support.worlds import Killed, Mortal, World, make_world

NASTY = '<script>alert("&")</script>'
VOID = {"meta", "br", "link", "img"}
MADE = datetime(2026, 2, 3, tzinfo=UTC)


class Page(HTMLParser):
    """Tags that are open, what is external, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.links += [str(v) for k, v in attrs if k in ("src", "href", "data", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


class Probe:
    def start(self) -> None:
        pass

    def stop(self) -> ProbeNumbers:
        return ProbeNumbers(
            requests=1234, failed=2, worst_ms=82.5, p99_ms=76.7, seconds=13.9, longest_stall_ms=99.2
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = make_world(tmp_path)
    apply_plan(world.context(), install(), actions=world.action)
    return world


def report_of(world: World, *, broken: int | None = None) -> Report:
    operations = world.ledger.operations
    (last,) = operations.history(1)
    evidence = Evidence(
        head=operations.head(),
        broken=broken,
        releases=(
            ReleaseProof(version="1.0.0", digest=FIRST.digest, signers=("ab" * 32,)),
            ReleaseProof(version="1.1.0", digest=SECOND.digest, fault="it is gone"),
        ),
    )
    return make_report(
        last, operations.entries(last.id), evidence, titles={}, reasons={"S1-X01": "Because."}
    )


def page_of(world: World, *, broken: int | None = None) -> Page:
    page = Page(render_page(report_of(world, broken=broken), made_at=MADE))
    assert page.open == []
    return page


def failure(text: str = "it broke") -> StepFailed:
    return StepFailed(text, code="S1-X01", hint="mend `it`")


def again(world: World) -> None:
    operation = world.ledger.operations.unfinished()
    assert operation is not None
    resume(world.context(), operation, actions=world.action)


def test_a_page_needs_nothing_else(world: World) -> None:
    text = render_page(report_of(world), made_at=MADE)
    page = Page(text)
    assert page.links == []
    assert not {"script", "link", "img", "iframe", "object"} & set(page.seen)
    assert "url(" not in text
    assert "@import" not in text
    assert "://" not in text
    assert "default-src 'none'" in text


def test_a_done_upgrade_says_so_with_numbers_and_evidence(world: World) -> None:
    plan = upgrade()
    apply_plan(world.context(), plan, actions=world.action, watch=Probe())  # type: ignore[arg-type]
    text = page_of(world).text
    report = report_of(world)
    assert (report.tone, report.verdict) == ("good", "Done")
    assert "Upgrade of acme: 1.0.0 → 1.1.0" in text
    assert "The site was then at 1.1.0." in text
    for word in ("1,234", "82 ms", "operator on"):
        assert word in text
    for evidence in (plan.digest, report.entries[-1].hash, FIRST.digest, "ab" * 32, "it is gone"):
        assert str(evidence) in text
    assert "Every entry is as it was written" in text


def test_every_step_has_a_bar_on_the_axis(world: World) -> None:
    plan = upgrade()
    apply_plan(world.context(), plan, actions=world.action)
    report = report_of(world)
    rows = [row for group in report.groups for row in group.rows]
    assert [r.number for r in rows] == list(range(1, len(plan.stage) + len(plan.hops[0].steps) + 1))
    assert all(r.x >= 0 and r.x + r.width <= 1000.001 and r.width > 0 for r in rows)
    assert [group.title for group in report.groups] == ["stage", "hop to 1.1.0"]


def test_a_clock_that_is_set_back_in_a_step_gives_no_negative_time(world: World) -> None:
    plan = upgrade()

    def set_back() -> None:
        world.clock -= timedelta(days=1)

    world.steals[number_of(plan, "Roll")] = set_back
    outcome = apply_plan(world.context(), plan, actions=world.action)
    assert 0 <= outcome.seconds < 3600
    report = report_of(world)
    times = [row.seconds for group in report.groups for row in group.rows]
    assert times.count(None) == 1
    assert all(seconds is None or seconds >= 0 for seconds in times)
    text = page_of(world).text
    assert "not known" in text
    assert "-86" not in text


def test_a_failed_hop_shows_its_cause_what_was_taken_back_and_what_never_began(
    world: World,
) -> None:
    plan = upgrade()
    world.faults[number_of(plan, "Roll", which=1)] = failure()
    apply_plan(world.context(), plan, actions=world.action)
    report = report_of(world)
    assert (report.tone, report.verdict) == ("bad", "Failed, and its hop taken back")
    assert [(p.code, p.message, p.why) for p in report.problems] == [
        ("S1-X01", "it broke", "Because.")
    ]
    assert report.groups[-1].title == "take back: hop to 1.1.0"
    assert report.groups[-1].is_undo
    assert {r.number for r in report.waiting} >= {int(number_of(plan, "RecordRelease"))}
    assert "not begun" in page_of(world).text


def test_a_paused_operation_that_was_resumed_shows_its_pause_and_both_failures(
    world: World,
) -> None:
    plan = upgrade()
    world.faults[number_of(plan, "Roll", which=1)] = failure()
    world.undo_faults[number_of(plan, "Roll")] = failure("it would not go back")
    apply_plan(world.context(), plan, actions=world.action)
    assert report_of(world).verdict == "Paused"
    world.clock += timedelta(hours=2)
    world.undo_faults.clear()
    again(world)
    report = report_of(world)
    assert (report.tone, report.verdict) == ("bad", "Failed, and its hop taken back")
    assert len(report.runs) == 2
    assert "2 h 00 min" in page_of(world).text


def test_a_killed_operation_is_not_called_finished(world: World) -> None:
    world.mortal = Mortal(at=20)
    with pytest.raises(Killed):
        apply_plan(world.context(), upgrade(), actions=world.action)
    report = report_of(world)
    assert (report.tone, report.verdict) == ("open", "Not finished")
    page_of(world)


def test_what_comes_from_elsewhere_is_escaped(world: World) -> None:
    plan = upgrade()
    world.faults[number_of(plan, "Roll")] = failure(f"`{NASTY}` and {NASTY}")
    apply_plan(world.context(), plan, actions=world.action)
    text = render_page(report_of(world), made_at=MADE)
    assert "<script" not in text
    assert "<code>&lt;script&gt;" in text
    assert NASTY in Page(text).text


def test_a_journal_that_was_changed_is_told(world: World) -> None:
    text = page_of(world, broken=3).text
    assert "Entry 3 is not as it was written." in text
    assert "Every entry is as it was written" not in text


def test_no_fingerprint_of_a_secret_and_no_setting_is_on_the_page(world: World) -> None:
    text = render_page(report_of(world), made_at=MADE)
    assert FIRST.settings.secrets["password"].fingerprint not in text
    assert not re.search(r"\bfast\b", text)


def test_essentials_leave_out_what_the_step_says_itself() -> None:
    record = {
        "found": True,
        "release": "sha256:" + "a" * 64,
        "rows": 1350,
        "held_ms": 16,
        "size_bytes": 2048,
        "sha256": "sha256:" + "b" * 64,
        "containers": ["a", "b", "c", "d"],
        "counts": {"public.events": 7},
        "matches": True,
        "nothing": None,
    }
    assert essentials(record) == (
        ("rows", "1,350"),
        ("held", "16 ms"),
        ("size", "2.0 KiB"),
        ("sha256", "sha256:bbbbbbbbbbbb…"),
        ("containers", "a, b, c and 1 more"),
        ("counts", "public.events 7"),
        ("matches", "yes"),
    )
    assert essentials(None) == ()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "40 ms"), (1.25, "1.2 s"), (42, "42 s"), (65, "1 min 05 s"), (7800, "2 h 10 min")],
)
def test_times_are_written_as_people_say_them(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


def test_ticks_and_sizes() -> None:
    assert [tick_text(s) for s in (0, 0.5, 30, 120, 7200)] == ["0", "0.5 s", "30 s", "2 min", "2 h"]
    assert [size_text(n) for n in (7, 1536, 3 << 20)] == ["7 B", "1.5 KiB", "3.0 MiB"]
