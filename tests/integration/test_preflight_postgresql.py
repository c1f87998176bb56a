"""The check of databases against a real server."""

from collections.abc import Callable
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from s1ctl.database.reach import reading
from s1ctl.errors import UsageError
from s1ctl.preflight.finding import Finding
from s1ctl.preflight.postgresql import collectors
from s1ctl.site.secrets import Secret
from tests.support.postgres import Database
from tests.support.preflight import findings_of, make_needs
from tests.support.registry import free_port

pytestmark = pytest.mark.integration


def check(dsn: Secret, name: str = "pg.connect", **needs: Any) -> Finding:
    wanted = {"is_installed": True, "databases": ("main",), **needs}
    return findings_of(collectors({"main": lambda: reading(dsn)}), make_needs(**wanted), name)[name]


def seen(finding: Finding) -> str:
    assert finding.observed is not None
    return finding.observed.text


def test_a_database_that_takes_us_passes_and_says_its_version(postgres: Database) -> None:
    found = check(postgres.dsn(), postgresql=SpecifierSet(">=15,<16"))
    assert found.outcome == "pass"
    assert "PostgreSQL 15" in seen(found)


def nobody_there(database: Database) -> Secret:
    return Secret(f"postgresql://u:canary-9d@127.0.0.1:{free_port()}/{database.name}")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (nobody_there, "cannot be reached"),
        (lambda database: database.dsn(password="canary-9d"), "password"),
        (lambda database: database.dsn(name="nowhere"), "nowhere"),
    ],
)
def test_a_database_that_does_not_take_us_fails_with_the_reason_and_no_secret(
    postgres: Database, make: Callable[[Database], Secret], words: str
) -> None:
    found = check(make(postgres))
    assert found.outcome == "fail"
    assert words in seen(found)
    assert found.remediation
    assert "canary" not in str(found)
    assert postgres.password not in str(found)


def test_a_server_of_another_version_than_the_release_wants_fails(postgres: Database) -> None:
    found = check(postgres.dsn(), "pg.version", postgresql=SpecifierSet(">=16"))
    assert found.outcome == "fail"
    assert found.required is not None
    assert found.required.source == "release 1.0.0"


def test_a_database_that_the_site_file_does_not_name_fails() -> None:
    def refuse() -> Any:
        raise UsageError("the site file does not say", code="S1-U17", hint="add `databases`")

    needs = make_needs(is_installed=True, databases=("main",))
    found = findings_of(collectors({"main": refuse}), needs, "pg.connect")["pg.connect"]
    assert (found.outcome, found.remediation) == ("fail", ("add `databases`",))


def test_the_database_is_only_read(postgres: Database) -> None:
    postgres.execute(
        f"ALTER ROLE {postgres.user} SET default_transaction_read_only = on", admin=True
    )
    assert check(postgres.dsn()).outcome == "pass"
