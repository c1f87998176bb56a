"""Fetch the values of planned secrets, at the moment in which they are used."""

from collections.abc import Iterator, Mapping

from s1ctl.operation.context import Context
from s1ctl.operation.run import Run
from s1ctl.plan.plan import Hop, Settings
from s1ctl.release.verified import VerifiedRelease
from s1ctl.shape import changed
from s1ctl.site.resolve import reveal_secrets
from s1ctl.site.secrets import Secret
from s1ctl.targets.settings import UnitSettings


def unit_settings(run: Run, release: VerifiedRelease, hop: Hop | None) -> UnitSettings:
    """Make what a unit of `release` is given; raises `PlanDiffers` where a secret changed."""
    return reveal(run.context, run.settings(release.digest, hop))


def former_settings(run: Run) -> UnitSettings:
    """Make what a unit was given that ran before the hop.

    A secret is fetched only when a container is made with it: one that was kept is just started.
    """
    settings = run.former_settings()
    return UnitSettings(values=settings.values, secrets=_LazySecrets(run.context, settings))


class _LazySecrets(Mapping[str, Secret]):
    """Secrets that are fetched, one by one, when they are asked for."""

    def __init__(self, context: Context, settings: Settings) -> None:
        self._context = context
        self._settings = settings

    def __getitem__(self, name: str) -> Secret:
        only = changed(self._settings, secrets={name: self._settings.secrets[name]})
        return reveal(self._context, only).secrets[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings.secrets)

    def __len__(self) -> int:
        return len(self._settings.secrets)


def reveal(context: Context, settings: Settings) -> UnitSettings:
    """Fetch the secrets that `settings` names by version and HMAC."""
    secrets = reveal_secrets(settings.secrets, context.site, context.secrets, context.environment)
    return UnitSettings(values=settings.values, secrets=secrets)
