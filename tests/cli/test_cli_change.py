"""Verbs that change a running site: what they say, and when they say there is nothing to do."""

from types import SimpleNamespace
from typing import Any

import pytest
from packaging.version import Version

from s1ctl.cli import db, secret, surroundings
from s1ctl.oci.digest import Digest
from s1ctl.operation import known_secrets, standing
from s1ctl.operation.known_secrets import KnownSecret
from s1ctl.operation.standing import DatabaseStanding
from s1ctl.release.manifest import Revision
from s1ctl.site.secrets import Secret


def revision(name: str, phase: str, release: str) -> Revision:
    return Revision(
        id=name,
        phase=phase,  # type: ignore[arg-type]
        release=Version(release),
        digest=Digest.of(name.encode()),
    )


PENDING = DatabaseStanding(
    database="main",
    standing="behind",
    applied=("0001", "0002"),
    pending=(revision("0003", "contract", "1.1.0"),),
    newer=(),
)


def test_a_pending_contract_is_shown_with_the_command_for_it() -> None:
    assert db.describe(PENDING) == [
        "main: 2 of 3 revisions applied, at 0002",
        "  pending  contract 0003 of 1.1.0",
        "  next: `s1ctl db contract`, when nobody wants to go back any more",
    ]
    assert db.document(PENDING)["contract"] == ["0003"]


def test_what_belongs_to_a_later_release_is_shown() -> None:
    ahead = DatabaseStanding(
        database="main", standing="ahead", applied=("0001", "0002"), pending=(), newer=("0002",)
    )
    assert "  newer    0002, of a release that is not installed" in db.describe(ahead)


def test_another_lineage_is_told() -> None:
    foreign = DatabaseStanding(
        database="main", standing="unknown", applied=("x",), pending=(), newer=("x",)
    )
    assert "  not of this release's lineage: call the vendor" in db.describe(foreign)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "look", lambda _: None)
    monkeypatch.setattr(known_secrets, "secret_value", lambda *_: Secret("canary-12"))
    known = KnownSecret(
        name="db_password", source=None, version=2, units=("api", "db"), note="of the database"
    )
    monkeypatch.setattr(known_secrets, "known_secrets", lambda _: (known,))
    monkeypatch.setattr(standing, "standings", lambda _: (PENDING,))


def test_a_secret_is_listed_without_its_value(looked, run) -> None:
    status, out, _ = run("secret", "list")
    assert status == 0
    assert out == "db_password  generated, version 2  used by api, db  of the database\n"


def test_a_secret_is_shown_only_where_somebody_means_it(looked, run) -> None:
    status, out, err = run("secret", "show", "db_password")
    assert (status, out) == (2, "")
    assert "S1-U153" in err
    assert "canary-12" not in err
    assert run("secret", "show", "db_password", "--reveal")[:2] == (0, "canary-12\n")


def test_the_databases_are_told_as_plain_data(looked, run) -> None:
    status, out, _ = run("db", "status", "--output", "json")
    assert status == 0
    assert '"contract": [\n        "0003"' in out


def test_a_source_that_is_a_command_is_not_shown_whole() -> None:
    values = {"a": "cmd:vault read canary", "b": "file:/etc/pw", "c": "env:PW"}
    context: Any = SimpleNamespace(site=SimpleNamespace(values=values))
    shown = [known_secrets._source(context, name) for name in ("a", "b", "c", "d")]
    assert shown == ["cmd", "file:/etc/pw", "env:PW", None]
    assert secret._row(KnownSecret(name="a", source="cmd", version=0, units=(), note=""))[1:3] == (
        "from cmd",
        "used by no unit",
    )
