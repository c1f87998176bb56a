"""The settings of one release at one site: values as text, secrets by version and fingerprint."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from s1ctl.errors import PlanDiffers, UsageError
from s1ctl.release.manifest import Setting
from s1ctl.release.settings import Problem, resolve_settings
from s1ctl.site.config import Site
from s1ctl.site.secrets import Secret, SecretSource, SecretStore

FROM_SOURCE = 0
Locate = Callable[[str], str]
PENDING = "pending"


def unplaced(_: str) -> str:
    """Say where something stands when nobody knows the line."""
    return "the site file"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretVersion:
    """A secret as a plan holds it: version 0 comes from its source, others from the store.

    The fingerprint of one that is still to be generated is `pending`.
    """

    version: int
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedSite:
    """Settings that are usable where there are no `problems`."""

    values: dict[str, str]
    secrets: dict[str, SecretVersion]
    problems: tuple[Problem, ...]


class PlannedSecret(Protocol):
    """Any value that says which secret a plan means."""

    @property
    def version(self) -> int:
        """0: from its source."""

    @property
    def fingerprint(self) -> str:
        """Its HMAC."""


def resolve_release_settings(
    declared: tuple[Setting, ...],
    site: Site,
    store: SecretStore,
    environment: Mapping[str, str],
    *,
    in_use: Mapping[str, int] | None = None,
    elsewhere: Collection[str] = (),
    locate: Locate = unplaced,
) -> ResolvedSite:
    """Join what a release declares with what the site gives; fetches named secrets, writes none.

    A generated secret has the version that is `in_use`, else the newest: one that was made for a
    rotation which was taken back is used by nothing. One that is not made yet is version 1,
    pending: call `ensure_secrets` first where writing is allowed, so that the digest of the plan
    stays the same. `elsewhere` as in `resolve_settings`; `locate` says where a path stands. Raises
    `UsageError` S1-U12 for a secret whose value stands in the site file, `InputOutputFailed` S1-I10
    and S1-I11.
    """
    _refuse_inline(declared, site, locate)
    resolved = resolve_settings(declared, site.values, elsewhere=elsewhere)
    used = in_use or {}
    secrets = {
        setting.name: _planned(
            setting.name,
            resolved.sources.get(setting.name),
            used.get(setting.name, FROM_SOURCE),
            store,
            environment,
        )
        for setting in resolved.secrets
        if setting.name in resolved.sources or setting.generate
    }
    return ResolvedSite(values=resolved.values, secrets=secrets, problems=resolved.problems)


def ensure_secrets(declared: tuple[Setting, ...], site: Site, store: SecretStore) -> None:
    """Generate what is to be generated and not there yet; again is harmless."""
    for setting in declared:
        if setting.kind == "secret" and setting.generate and setting.name not in site.values:
            store.ensure(setting.name, chars=setting.generate)


def reveal_secrets(
    planned: Mapping[str, PlannedSecret],
    site: Site,
    store: SecretStore,
    environment: Mapping[str, str],
) -> dict[str, Secret]:
    """Fetch the secrets that a plan means, when they are used.

    Raises `PlanDiffers` S1-N10 when one is no longer what was planned, `InputOutputFailed` S1-I10
    and S1-I11.
    """
    return {
        name: _reveal(name, secret, site, store, environment) for name, secret in planned.items()
    }


def _refuse_inline(declared: tuple[Setting, ...], site: Site, locate: Locate) -> None:
    for setting in declared:
        if setting.kind == "secret" and setting.name in site.values:
            _source(setting.name, site, locate)


def _source(name: str, site: Site, locate: Locate = unplaced) -> SecretSource:
    try:
        return SecretSource(str(site.values[name]))
    except ValueError:
        raise UsageError(
            f"{locate(f'$.values.{name}')}: `{name}` is a secret, and its value stands there",
            code="S1-U12",
            hint=f"put it into a file of mode 0600 and write `{name}: file:/PATH` in the site file",
        ) from None


def _planned(
    name: str,
    source: str | None,
    used: int,
    store: SecretStore,
    environment: Mapping[str, str],
) -> SecretVersion:
    if source is not None:
        value = SecretSource(source).resolve(environment, name=f"values.{name}")
        return SecretVersion(version=FROM_SOURCE, fingerprint=store.fingerprint(value))
    is_used = used != FROM_SOURCE and store.has(name, used)
    version = used if is_used else store.version(name)
    if not version:
        return SecretVersion(version=1, fingerprint=PENDING)
    value = store.read(name, version)
    return SecretVersion(version=version, fingerprint=store.fingerprint(value))


def _reveal(
    name: str,
    planned: PlannedSecret,
    site: Site,
    store: SecretStore,
    environment: Mapping[str, str],
) -> Secret:
    if planned.version != FROM_SOURCE:
        value = store.read(name, planned.version)
    elif name in site.values:
        value = _source(name, site).resolve(environment, name=f"values.{name}")
    else:
        raise _differs(name, "has no source in the site file any more")
    if store.fingerprint(value) != planned.fingerprint:
        raise _differs(name, "is another value than when the plan was made")
    return value


def _differs(name: str, what: str) -> PlanDiffers:
    return PlanDiffers(
        f"the secret `{name}` {what}",
        code="S1-N10",
        hint="plan again: `s1ctl plan`, or bring the former secret back",
    )
