"""Fetch the values of planned secrets, at the moment in which they are used."""

from s1ctl.operation.context import Context
from s1ctl.operation.run import Run
from s1ctl.plan.plan import Hop, Settings
from s1ctl.release.verified import VerifiedRelease
from s1ctl.site.resolve import reveal_secrets
from s1ctl.targets.settings import UnitSettings


def unit_settings(run: Run, release: VerifiedRelease, hop: Hop | None) -> UnitSettings:
    """Make what a unit of `release` is given; raises `PlanDiffers` where a secret changed."""
    return reveal(run.context, run.settings(release.digest, hop))


def former_settings(run: Run) -> UnitSettings:
    """Make what a unit was given that ran before the hop."""
    return reveal(run.context, run.former_settings())


def reveal(context: Context, settings: Settings) -> UnitSettings:
    """Fetch the secrets that `settings` names by version and HMAC."""
    secrets = reveal_secrets(settings.secrets, context.site, context.secrets, context.environment)
    return UnitSettings(values=settings.values, secrets=secrets)
