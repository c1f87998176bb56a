"""`rollback --dry-run` over an unfinished operation."""

from types import SimpleNamespace

import pytest

from s1ctl.cli import going_on, surroundings
from s1ctl.cli.context import Here
from s1ctl.operation import operate
from s1ctl.operation.execute import numbered
from tests.support.plans import upgrade


def test_a_dry_rollback_of_an_unfinished_operation_only_lists(
    run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(*_: object, **__: object) -> None:
        raise AssertionError("it was taken back")

    operation = SimpleNamespace(id="op-3", verb="upgrade")
    operations = SimpleNamespace(unfinished=lambda: operation)
    monkeypatch.setattr(Here, "ledger", SimpleNamespace(operations=operations))
    monkeypatch.setattr(surroundings, "make_context", lambda _: None)
    monkeypatch.setattr(operate, "list_take_back", lambda *_: numbered(upgrade())[2:0:-1])
    monkeypatch.setattr(going_on, "_take_back", begin)
    status, out, _ = run("rollback", "--dry-run", "--yes")
    assert status == 0
    assert out.startswith("to take back of operation op-3 (upgrade), newest first:\n  3  take back")
    assert len(out.splitlines()) == 3
