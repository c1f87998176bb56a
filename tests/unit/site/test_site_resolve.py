"""Settings of a release at a site."""

from pathlib import Path
from typing import Any

import pytest

from s1ctl.errors import InputOutputFailed, PlanDiffers, UsageError
from s1ctl.release.manifest import Setting
from s1ctl.shape import parse_value
from s1ctl.site.config import Site
from s1ctl.site.resolve import (
    PENDING,
    SecretVersion,
    ensure_secrets,
    resolve_release_settings,
    reveal_secrets,
)
from s1ctl.site.secrets import Secret, SecretStore

DECLARED = (
    Setting(name="host", kind="text", required=True, note="as users see it"),
    Setting(name="port", kind="port", default=8080),
    Setting(name="db_password", kind="secret", generate=32),
    Setting(name="license", kind="secret", required=True, note="from the vendor"),
)


def make_site(**values: Any) -> Site:
    document = {
        "version": 1,
        "name": "acme",
        "target": {"kind": "docker", "network": "10.97.0.0/24"},
        "registry": {"url": "https://registry"},
        "trust": {"product": "shop", "channel": "stable"},
        "values": {"host": "acme", "license": "env:LICENSE", **values},
    }
    return parse_value(document, Site)


@pytest.fixture
def store(tmp_path: Path) -> SecretStore:
    return SecretStore(tmp_path / "secrets")


ENVIRONMENT = {"LICENSE": "l1cense", "OWN": "own password"}


def test_values_are_text_and_secrets_are_fingerprints(store: SecretStore) -> None:
    ensure_secrets(DECLARED, make_site(), store)
    resolved = resolve_release_settings(DECLARED, make_site(), store, ENVIRONMENT)
    assert resolved.problems == ()
    assert resolved.values == {"host": "acme", "port": "8080"}
    assert resolved.secrets == {
        "db_password": SecretVersion(
            version=1, fingerprint=store.fingerprint(store.read("db_password", 1))
        ),
        "license": SecretVersion(version=0, fingerprint=store.fingerprint(Secret("l1cense"))),
    }
    assert "l1cense" not in repr(resolved)


def test_resolving_twice_gives_the_same(store: SecretStore) -> None:
    for _ in range(2):
        ensure_secrets(DECLARED, make_site(), store)
    once = resolve_release_settings(DECLARED, make_site(), store, ENVIRONMENT)
    assert once == resolve_release_settings(DECLARED, make_site(), store, ENVIRONMENT)


def test_what_is_still_to_be_generated_is_pending_and_not_made(store: SecretStore) -> None:
    resolved = resolve_release_settings(DECLARED, make_site(), store, ENVIRONMENT)
    assert resolved.secrets["db_password"] == SecretVersion(version=1, fingerprint=PENDING)
    assert store.version("db_password") == 0


def test_a_source_takes_the_place_of_generating(store: SecretStore) -> None:
    site = make_site(db_password="env:OWN")
    ensure_secrets(DECLARED, site, store)
    resolved = resolve_release_settings(DECLARED, site, store, ENVIRONMENT)
    assert store.version("db_password") == 0
    assert resolved.secrets["db_password"].version == 0


def test_a_rotated_secret_has_its_new_version(store: SecretStore) -> None:
    ensure_secrets(DECLARED, make_site(), store)
    store.add("db_password", Secret("new"))
    resolved = resolve_release_settings(DECLARED, make_site(), store, ENVIRONMENT)
    assert resolved.secrets["db_password"] == SecretVersion(
        version=2, fingerprint=store.fingerprint(Secret("new"))
    )


@pytest.mark.parametrize("value", ["hunter2", 12345, True])
def test_a_secret_in_the_site_file_is_refused_and_not_repeated(
    store: SecretStore, value: object
) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_release_settings(DECLARED, make_site(db_password=value), store, ENVIRONMENT)
    error = caught.value
    assert error.code == "S1-U12"
    assert "`db_password`" in error.message
    assert "db_password: file:/PATH" in error.hint
    assert str(value) not in error.message + error.hint


def test_every_problem_is_told_at_once(store: SecretStore) -> None:
    site = make_site(port=99999, prot=1)
    declared = (*DECLARED, Setting(name="api_key", kind="secret", note="from the portal"))
    resolved = resolve_release_settings(declared, site, store, ENVIRONMENT)
    said = "\n".join(resolved.problems)
    assert "`port` is `99999`" in said
    assert "`prot` is not a setting" in said
    assert "`api_key` has no source (from the portal)" in said


def test_a_source_that_does_not_resolve_stops(store: SecretStore) -> None:
    with pytest.raises(InputOutputFailed) as caught:
        resolve_release_settings(DECLARED, make_site(), store, {})
    assert caught.value.code == "S1-I10"


def test_planned_secrets_are_revealed(store: SecretStore) -> None:
    ensure_secrets(DECLARED, make_site(), store)
    planned = resolve_release_settings(DECLARED, make_site(), store, ENVIRONMENT).secrets
    revealed = reveal_secrets(planned, make_site(), store, ENVIRONMENT)
    assert revealed == {
        "db_password": store.read("db_password", 1),
        "license": Secret("l1cense"),
    }


def test_the_planned_version_is_revealed_though_there_is_a_newer_one(store: SecretStore) -> None:
    ensure_secrets(DECLARED, make_site(), store)
    planned = resolve_release_settings(DECLARED, make_site(), store, ENVIRONMENT).secrets
    store.add("db_password", Secret("new"))
    revealed = reveal_secrets(planned, make_site(), store, ENVIRONMENT)
    assert revealed["db_password"] == store.read("db_password", 1)


@pytest.mark.parametrize("change", ["other value", "source gone", "other in store", "pending"])
def test_a_secret_that_is_not_the_planned_one_is_refused(
    store: SecretStore, tmp_path: Path, change: str
) -> None:
    if change != "pending":
        ensure_secrets(DECLARED, make_site(), store)
    planned = resolve_release_settings(DECLARED, make_site(), store, ENVIRONMENT).secrets
    site, environment = make_site(), dict(ENVIRONMENT)
    if change == "other value":
        environment["LICENSE"] = "another"
    elif change == "source gone":
        del site.values["license"]
    elif change == "other in store":
        (tmp_path / "secrets" / "db_password" / "1").write_text("another")
    else:
        ensure_secrets(DECLARED, make_site(), store)
    with pytest.raises(PlanDiffers) as caught:
        reveal_secrets(planned, site, store, environment)
    assert caught.value.code == "S1-N10"
    assert "another" not in caught.value.message.replace("is another value", "")
