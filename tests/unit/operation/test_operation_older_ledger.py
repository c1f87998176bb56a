"""A ledger that is a copy from before is known by what runs."""

from s1ctl.operation.drift import find_older_ledger
from s1ctl.targets.docker_running import Running


def running(operation: str) -> Running:
    return Running(
        unit="web",
        release="sha256:1",
        version="1.1.0",
        replica=1,
        container=f"acme-web-{operation}",
        address=None,
        state="running",
        health=None,
        operation=operation,
    )


def test_a_container_of_an_operation_that_the_ledger_lacks_tells_of_an_older_ledger() -> None:
    found = [running("op-1"), running("op-3"), running("")]
    (drift,) = find_older_ledger(found, {"op-1"}.__contains__, "op-2")
    assert drift.kind == "older-ledger"
    assert "made by operation op-3, and the newest in this ledger is op-2" in drift.text
    (drift,) = find_older_ledger(found, lambda _: False, "")
    assert "the newest in this ledger is none" in drift.text


def test_where_every_operation_is_known_nothing_is_told() -> None:
    assert list(find_older_ledger([running("op-1"), running("")], lambda _: True, "op-1")) == []
