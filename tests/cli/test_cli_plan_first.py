"""Verbs that change a site show their plan, and do nothing until somebody has agreed."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from s1ctl.cli import operate as verbs
from s1ctl.cli import surroundings
from s1ctl.cli.context import Here
from s1ctl.cli.output import Output
from s1ctl.errors import UsageError
from s1ctl.operation import check, foreign, operate
from s1ctl.plan.explain import explain_plan
from s1ctl.shape import changed
from tests.support.plans import upgrade


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Here:
    """A command line whose operation must not begin."""

    class Site:
        state = tmp_path

    @contextmanager
    def acting(*_: object) -> Iterator[None]:
        yield

    def begin(*_: object, **__: object) -> None:
        raise AssertionError("the plan was applied")

    monkeypatch.setattr(surroundings, "acting", acting)
    monkeypatch.setattr(check, "check_plan", lambda *_: None)
    monkeypatch.setattr(foreign, "refuse_foreign", lambda *_: None)
    monkeypatch.setattr(operate, "refuse_if_unfinished", lambda _: None)
    monkeypatch.setattr(operate, "apply_plan", begin)
    made = Here(output=Output(is_json=False, has_colour=False), environment={})
    made.__dict__["site"] = Site
    return made


def test_the_plan_is_shown_before_anything_changes(here: Here, capsys) -> None:
    with pytest.raises(UsageError) as refused:
        verbs.run_plan(here, lambda _: upgrade())
    assert refused.value.code == "S1-U81"
    assert capsys.readouterr().err.splitlines() == list(explain_plan(upgrade()))


def test_a_dry_run_shows_the_plan_and_does_nothing(here: Here, capsys) -> None:
    assert verbs.run_plan(here, lambda _: upgrade(), is_dry=True, is_yes=True) == 0
    assert capsys.readouterr().out.splitlines() == list(explain_plan(upgrade()))


def test_a_plan_that_was_agreed_to_is_applied(here: Here) -> None:
    with pytest.raises(AssertionError, match="was applied"):
        verbs.run_plan(here, lambda _: upgrade(), is_yes=True)


def test_a_plan_without_a_step_is_told_and_is_no_failure(here: Here, capsys) -> None:
    nothing = changed(upgrade(), verb="apply", stage=(), hops=())
    assert verbs.run_plan(here, lambda _: nothing) == 0
    assert "nothing to do: the site is as its file says" in capsys.readouterr().out
