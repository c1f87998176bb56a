import json
import signal
import time
from pathlib import Path

import pytest

from tests.support.shop import BROKEN

pytestmark = pytest.mark.e2e
WAIT_S = 60


def wait_for_step(events: Path, kind: str) -> None:
    """Wait until the journal has the intent of a step of this kind."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        for line in events.read_text().splitlines() if events.exists() else ():
            event = json.loads(line)
            if event["event"] == "intent" and event["step"] == kind:
                return
        time.sleep(0.02)
    raise TimeoutError(f"no step of kind {kind} was begun")


def interrupted(site, how: signal.Signals, *, step: str = "roll") -> int:
    """Begin an upgrade, and stop it by a signal when the step is begun; say its exit code."""
    events = site.folder / f"events-{how.name}.ndjson"
    process = site.s1ctl.start("upgrade", "--to", "1.1.0", "--yes", "--events", events)
    try:
        wait_for_step(events, step)
    finally:
        process.send_signal(how)
        process.communicate(timeout=WAIT_S)
    return process.returncode


def test_a_site_is_upgraded_and_goes_back_without_bundle_and_registry_and_nobody_notices(
    site,
) -> None:
    assert site.version() == "1.0.0"
    site.s1ctl("upgrade", "--to", "1.1.0", "--stage", "--yes")
    site.registry.stop()
    for verb in (("upgrade", "--to", "1.1.0"), ("rollback",), ("upgrade", "--to", "1.1.0")):
        ended = site.s1ctl.data(*verb, "--yes", "--probe", site.url)
        assert ended["state"] == "done"
        assert ended["probe"]["failed"] == 0
        assert ended["probe"]["requests"] > 0
        assert site.version() == ended["version"]
    assert "every entry that is there is as it was written" in site.s1ctl("history", "--verify")


def test_a_release_that_never_gets_ready_is_taken_back_and_sees_no_request(site) -> None:
    ended = site.s1ctl.data("upgrade", "--to", BROKEN, "--yes", "--probe", site.url, expected=30)
    assert ended["version"] == "1.0.0"
    assert ended["probe"]["failed"] == 0
    assert ended["cause"]["code"].startswith("S1-")
    assert site.version() == "1.0.0"
    assert site.s1ctl.data("status")["unfinished"] is None


def test_an_upgrade_killed_in_the_middle_is_finished_by_resume(site) -> None:
    assert interrupted(site, signal.SIGKILL) == -signal.SIGKILL
    assert site.s1ctl.data("status")["unfinished"]["verb"] == "upgrade"
    assert site.s1ctl.data("upgrade", "--to", "1.1.0", "--yes", expected=21)["error"]
    ended = site.s1ctl.data("resume", "--probe", site.url)
    assert (ended["state"], ended["version"]) == ("done", "1.1.0")
    assert ended["probe"]["failed"] == 0
    assert site.version() == "1.1.0"


def test_an_interrupted_upgrade_is_taken_back_by_rollback(site) -> None:
    assert interrupted(site, signal.SIGINT) == 130
    ended = site.s1ctl.data("rollback", "--yes")
    assert (ended["state"], ended["version"]) == ("taken-back", "1.0.0")
    assert site.version() == "1.0.0"
    assert site.s1ctl.data("upgrade", "--to", "1.1.0", "--yes")["version"] == "1.1.0"


def test_only_the_approved_plan_is_applied(site) -> None:
    plan = site.folder / "plan.json"
    site.s1ctl("plan", "--to", "1.1.0", "--out", plan)
    site_file = site.folder / "site.yaml"
    text = site_file.read_text()
    site_file.write_text(text.replace("soak_s: 1", "soak_s: 2"))
    refused = site.s1ctl.data("upgrade", "--to", "1.1.0", "--plan", plan, expected=23)
    assert refused["error"]["code"] == "S1-N90"
    site_file.write_text(text)
    assert site.s1ctl.data("upgrade", "--to", "1.1.0", "--plan", plan)["version"] == "1.1.0"


def test_what_an_operator_reads_of_a_site(site) -> None:
    status = site.s1ctl.data("status")
    assert {one["unit"]: one["version"] for one in status["running"]} == {
        "web": "1.0.0",
        "edge": "1.0.0",
    }
    assert [one["verb"] for one in site.s1ctl.data("history")["operations"]] == ["install"]
    site.s1ctl("preflight", "--for", "upgrade")
    assert site.s1ctl.data("upgrade", "--to", "3.0.0", "--yes", expected=22)["error"]
    assert site.s1ctl.data("upgrade", "--to", "0.9.0", "--yes", expected=12)["error"]
    assert site.s1ctl.data("lock", "show") == {"held": None}


def test_no_secret_of_the_site_is_in_its_ledger_logs_or_output(site) -> None:
    secrets = {path.read_text() for path in site.folder.glob("state/secrets/*/[0-9]*")}
    secrets.add(site.registry.password)
    ended = site.s1ctl("upgrade", "--to", "1.1.0", "--yes", "--output", "json")
    assert secrets
    for secret in secrets:
        assert secret not in ended
        for path in site.folder.glob("state/**/*"):
            if path.is_file() and "secrets" not in path.parts and "mounts" not in path.parts:
                assert secret.encode() not in path.read_bytes(), path
