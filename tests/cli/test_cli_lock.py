from datetime import UTC, datetime
from pathlib import Path

import pytest

from s1ctl.ledger.holder import Holder
from s1ctl.ledger.ledger import open_ledger

AT = datetime(2026, 3, 1, 2, 3, 4, tzinfo=UTC)
NIGHT = Holder(who="nora", host="site-host", pid=77, boot_id="b")


@pytest.fixture
def site(run, tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    run(
        *("init", "--site", path, "--non-interactive", "--name", "acme", "--product", "shop"),
        *("--registry", "https://r:5000", "--state-dir", tmp_path / "state"),
    )
    socket = f"target:\n  socket: {tmp_path}/engine.sock\n"
    path.write_text(path.read_text().replace("target:\n", socket))
    return path


@pytest.fixture
def held(site, tmp_path: Path) -> None:
    with open_ledger(tmp_path / "state") as ledger:
        ledger.lock.acquire(
            operation="op-1", holder=NIGHT, plan="sha256:0", message="upgrade", at=AT,
            is_alive=lambda _: True,
        )  # fmt: skip


def test_nobody_holds_a_site_at_first(golden, site) -> None:
    golden("lock-free", "lock", "show", "--site", site)


def test_who_holds_the_site_is_shown(golden, site, held) -> None:
    golden("lock-held", "lock", "show", "--site", site)
    golden("lock-held-json", "lock", "show", "--site", site, "--output", "json")


def test_a_lock_is_not_broken_without_being_asked_or_yes(golden, site, held) -> None:
    golden("lock-break-no-terminal", "lock", "break", "--site", site, "--reason", "host is gone")


def test_a_lock_is_broken_with_a_reason_that_stays(golden, site, held, tmp_path: Path) -> None:
    words = ("lock", "break", "--site", site, "--reason", "host is gone", "--yes")
    golden("lock-break", *words)
    golden("lock-break-again", *words)
    with open_ledger(tmp_path / "state") as ledger:
        assert [entry.reason for entry in ledger.lock.breaks()] == ["host is gone"]
