"""Where a database stands, and what of it may be taken back."""

from types import SimpleNamespace
from typing import Any

import pytest

from s1ctl.database.applied import Truth
from s1ctl.errors import S1Error
from s1ctl.operation import standing
from tests.support.releases import make_view
from tests.support.turns import LAST, MIDDLE


class Releases:
    """Releases 1.1.0 and 2.0.0 are loaded; one of them is installed."""

    views = (MIDDLE, LAST)

    def __init__(self, installed: Any) -> None:
        self._installed = installed

    def installed(self) -> Any:
        view = self._installed
        if view is None:
            return None
        return SimpleNamespace(digest=view.digest, version=view.version, settings=view.settings)

    def loaded(self) -> Any:
        return tuple(SimpleNamespace(digest=view.digest) for view in self.views)


def context(installed: Any = MIDDLE) -> Any:
    views = {view.digest: view for view in (*Releases.views, FILLED)}
    return SimpleNamespace(
        ledger=SimpleNamespace(releases=Releases(installed)), release=lambda digest: views[digest]
    )


FILLED = make_view("3.0.0", revisions=(("0001", "expand", "1.0.0"), ("0009", "backfill", "3.0.0")))


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> Any:
    def apply(*revisions: str) -> None:
        truth = Truth(heads=revisions[-1:], applied=dict.fromkeys(revisions, ""))
        monkeypatch.setattr(standing, "dsn_of", lambda *_: None)
        monkeypatch.setattr(standing, "read_truth", lambda _: truth)

    return apply


def test_a_pending_contract_is_named(applied) -> None:
    applied("0001", "0002")
    (one,) = standing.standings(context())
    assert one.standing == "behind"
    assert [r.id for r in one.pending] == ["0003"]
    assert [r.id for r in one.contracts] == ["0003"]
    assert one.newer == ()


def test_what_a_later_release_added_is_named(applied) -> None:
    applied("0001", "0002", "0003", "0004")
    (one,) = standing.standings(context())
    assert one.standing == "ahead"
    assert one.newer == ("0004",)


def test_the_newest_revision_of_a_release_that_is_not_installed_can_be_undone(applied) -> None:
    applied("0001", "0002", "0003", "0004")
    found = standing.find_undoing(context(), None)
    assert (found.revision.id, found.release) == ("0004", LAST)
    assert standing.find_undoing(context(), "main").revision.id == "0004"


def refused(installed: Any = MIDDLE, database: str | None = None) -> str:
    with pytest.raises(S1Error) as caught:
        standing.find_undoing(context(installed), database)
    return caught.value.code


def test_what_the_installed_release_needs_is_not_undone(applied) -> None:
    applied("0001", "0002")
    assert refused() == "S1-N31"
    applied("0001", "0002", "0003", "0004")
    assert refused(installed=LAST) == "S1-N31"


def test_a_backfill_and_a_contract_are_not_undone(applied, monkeypatch) -> None:
    applied("0001", "0002", "0003", "0004", "0005")
    assert refused() == "S1-N32"
    monkeypatch.setattr(Releases, "views", (MIDDLE, FILLED))
    applied("0001", "0009")
    assert refused() == "S1-N32"


def test_a_revision_of_no_loaded_release_is_not_undone(applied) -> None:
    applied("0001", "0002", "0777")
    assert refused() == "S1-N30"
    applied()
    assert refused() == "S1-N30"


def test_the_database_must_be_one_of_the_release(applied) -> None:
    applied("0001")
    assert refused(database="other") == "S1-U151"
    assert refused(installed=None) == "S1-N05"
