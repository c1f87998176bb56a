"""Versions of generated secrets: the one in use counts, whatever newer one was made."""

from pathlib import Path

import pytest

from s1ctl.release.manifest import Setting
from s1ctl.site.config import RegistryAccess, Site, Target, TrustPolicy
from s1ctl.site.resolve import ResolvedSite, resolve_release_settings
from s1ctl.site.secrets import SecretStore

SITE = Site(
    version=1,
    name="acme",
    target=Target(kind="docker", network="10.97.0.0/24"),
    registry=RegistryAccess(url="https://registry:5000"),
    trust=TrustPolicy(product="shop", channel="stable"),
)
DECLARED = (Setting(name="password", kind="secret", generate=24),)


@pytest.fixture
def store(tmp_path: Path) -> SecretStore:
    made = SecretStore(tmp_path / "secrets")
    made.ensure("password", chars=24)
    return made


def resolve(store: SecretStore, **in_use: int) -> ResolvedSite:
    return resolve_release_settings(DECLARED, SITE, store, {}, in_use=in_use)


def test_a_renewed_secret_is_another_value_under_the_next_number(store: SecretStore) -> None:
    assert store.renew("password", chars=24) == 2
    assert store.read("password", 1) != store.read("password", 2)
    assert len(store.read("password", 2).reveal()) == 24


def test_the_version_in_use_counts_and_not_the_newest(store: SecretStore) -> None:
    store.renew("password", chars=24)
    assert resolve(store, password=1).secrets["password"].version == 1
    assert resolve(store).secrets["password"].version == 2


def test_a_version_in_use_that_was_purged_is_not_waited_for(store: SecretStore) -> None:
    assert resolve(store, password=7).secrets["password"].version == 1


def test_one_that_came_from_a_source_before_is_generated_now(store: SecretStore) -> None:
    assert resolve(store, password=0).secrets["password"].version == 1


def test_a_version_is_forgotten_alone(store: SecretStore) -> None:
    store.renew("password", chars=24)
    store.forget("password", 2)
    store.forget("password", 2)
    assert (store.has("password", 1), store.has("password", 2)) == (True, False)
    assert store.version("password") == 1
