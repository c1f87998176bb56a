"""Waivers: which count for a release."""

from pathlib import Path
from typing import Any

from s1ctl.ledger.ledger import open_ledger
from s1ctl.ledger.waivers import Waiver
from s1ctl.oci.digest import Digest
from s1ctl.shape import changed
from tests.support.ledgers import NOW, RELEASE

WAIVER = Waiver(
    check="pg.activity", release=RELEASE, version="1.0.0", outcome="fail", observed="pid 7",
    reason="it is ours", who="nora", host="h1", at=NOW,
)  # fmt: skip


def waiver(**changes: Any) -> Waiver:
    return changed(WAIVER, **changes)


def test_a_waiver_counts_for_its_release_alone_and_the_newest_of_a_check(tmp_path: Path) -> None:
    later, other = waiver(reason="still ours"), waiver(check="host.memory")
    elsewhere = waiver(release=Digest.of(b"another"))
    with open_ledger(tmp_path / "state") as ledger:
        for each in (WAIVER, elsewhere, other, later):
            ledger.waivers.record(each)
    with open_ledger(tmp_path / "state") as ledger:
        assert ledger.waivers.of(RELEASE) == (later, other)
        assert ledger.waivers.of(Digest.of(b"another")) == (elsewhere,)
        assert ledger.waivers.of(Digest.of(b"a third")) == ()
        assert ledger.waivers.all() == (WAIVER, elsewhere, other, later)
