"""What a release asks of its site before anything is planned: this s1ctl, and consent."""

from packaging.version import Version

from s1ctl import __version__
from s1ctl.errors import NoPath, PolicyRefused
from s1ctl.operation.context import Context
from s1ctl.release.compose import ComposeFile
from s1ctl.release.compose_rules import consents
from s1ctl.release.manifest import ReleaseManifest


def check_tool(manifest: ReleaseManifest) -> None:
    """Refuse a release that this s1ctl is not for, before anything is staged (S1-N20)."""
    if not manifest.requires.s1ctl.contains(__version__, prereleases=True):
        raise NoPath(
            f"release {manifest.version} needs s1ctl `{manifest.requires.s1ctl}`, "
            f"and this is {__version__}",
            code="S1-N20",
            hint="install that s1ctl beside this one, then run `s1ctl plan` with it",
        )


def check_consent(context: Context, compose: ComposeFile, version: Version) -> None:
    """Refuse what a service wants of the host and the site does not allow (S1-P01)."""
    for name, service in compose.services.items():
        given = context.site.allow.get(name, ())
        missing = [consent for consent in consents(service) if consent not in given]
        if missing:
            raise PolicyRefused(
                f"{context.locate(f'$.allow.{name}')}: unit `{name}` of {version} wants "
                f"{', '.join(missing)}, to which this site has not consented",
                code="S1-P01",
                hint=f"if it may, add `allow: {{{name}: [{', '.join(missing)}]}}` to the site file",
            )
