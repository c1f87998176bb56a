"""Give databases the password that the units will use."""

from s1ctl.oci.digest import Digest
from s1ctl.plan.plan import Settings
from s1ctl.plan.steps import SetPassword
from s1ctl.plan.view import SiteView
from s1ctl.release.manifest import Schema


def password_steps(
    site: SiteView, schemas: tuple[Schema, ...], *, to: Settings, release: Digest
) -> tuple[SetPassword, ...]:
    """Change each password whose secret is another than the installed release's.

    Only in databases that are units of the platform, and only once for a role of one server.
    """
    if site.current is None:
        return ()
    former = site.current.settings.secrets
    steps: dict[tuple[str, str], SetPassword] = {}
    for schema in schemas:
        unit, name = site.services.get(schema.database), schema.access.password
        before, after = former.get(name), to.secrets.get(name)
        if unit is None or before is None or after is None or before == after:
            continue
        step = SetPassword(
            database=schema.database, secret=name, to=after, former=before, release=release
        )
        steps.setdefault((unit, schema.access.user), step)
    return tuple(steps.values())
