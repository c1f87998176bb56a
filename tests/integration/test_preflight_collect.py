"""What holds for every collector: a deadline each, and a hang that harms nobody else."""

import subprocess
import sys
import threading

import pytest

from s1ctl.preflight import disks, host
from s1ctl.preflight.catalogue import blocking
from s1ctl.preflight.collect import collect
from s1ctl.site.facts import Fact
from tests.support.preflight import AT, findings_of, make_needs, outcomes

pytestmark = pytest.mark.integration


def test_a_collector_that_hangs_is_an_error_while_the_others_have_their_findings() -> None:
    end = threading.Event()

    def hang() -> Fact:
        end.wait(60)
        return Fact(value=[])

    collectors = {
        **host.collectors(),
        **disks.collectors(("/",), {}),
        "host.listeners": hang,
    }
    needs = make_needs(ports=(1,), disk_bytes={"/": 0})
    try:
        found = findings_of(
            collectors, needs, "host.disk-space", "host.memory", "net", deadline_s=2
        )
    finally:
        end.set()
    assert outcomes(found)["net.ports"] == "error"
    assert outcomes(found)["host.disk-space"] == "pass"
    assert outcomes(found)["host.memory"] in {"pass", "warn"}
    assert [finding.id for finding in blocking(tuple(found.values()))] == ["net.ports"]


def test_many_that_hang_do_not_keep_one_from_being_collected() -> None:
    end = threading.Event()

    def hang() -> Fact:
        end.wait(60)
        return Fact()

    collectors = {**{f"hang.{i}": hang for i in range(50)}, "good": lambda: Fact(value=1)}
    try:
        facts = collect(collectors, taken_at=AT, deadline_s=1)
    finally:
        end.set()
    assert facts.items["good"].value == 1
    assert sum("no answer within 1 s" in str(fact.error) for fact in facts.items.values()) == 50


def test_a_collector_that_hangs_does_not_keep_the_process_from_ending() -> None:
    script = (
        "import time\nfrom datetime import UTC, datetime\n"
        "from s1ctl.preflight.collect import collect\n"
        "facts = collect({'hang': lambda: time.sleep(600)}, taken_at=datetime.now(UTC),"
        " deadline_s=0.1)\n"
        "print(facts.items['hang'].error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith("no answer within")


def test_a_bug_in_a_collector_is_not_taken_for_a_measurement() -> None:
    def broken() -> Fact:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        collect({"broken": broken}, taken_at=AT)
