"""The secrets of the installed release: where they come from, and who uses them."""

from dataclasses import dataclass

from s1ctl.errors import UsageError
from s1ctl.operation.context import Context
from s1ctl.operation.gather import installed_release
from s1ctl.site.resolve import reveal_secrets
from s1ctl.site.secrets import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSecret:
    """A secret by its name; `version` is the one in use, 0 for one that comes from `source`."""

    name: str
    source: str | None
    version: int
    units: tuple[str, ...]
    note: str


def known_secrets(context: Context) -> tuple[KnownSecret, ...]:
    """List the secrets that the installed release uses. Raises `NoPath` S1-N05."""
    installed = installed_release(context)
    manifest = context.release(installed.digest).manifest
    return tuple(
        KnownSecret(
            name=setting.name,
            source=_source(context, setting.name),
            version=installed.settings.secrets[setting.name].version,
            units=tuple(unit.name for unit in manifest.units if setting.name in unit.settings),
            note=setting.note,
        )
        for setting in manifest.settings
        if setting.kind == "secret" and setting.name in installed.settings.secrets
    )


def secret_value(context: Context, name: str) -> Secret:
    """Fetch the value in use. Raises `UsageError` S1-U152, `PlanDiffers` S1-N10."""
    secrets = installed_release(context).settings.secrets
    if name not in secrets:
        raise UsageError(
            f"the installed release uses no secret `{name}`",
            code="S1-U152",
            hint="run `s1ctl secret list`",
        )
    wanted = {name: secrets[name]}
    return reveal_secrets(wanted, context.site, context.secrets, context.environment)[name]


def _source(context: Context, name: str) -> str | None:
    """Name the source as the site file does; a command may hold more than its name."""
    text = str(context.site.values.get(name, ""))
    return "cmd" if text.startswith("cmd:") else text or None
