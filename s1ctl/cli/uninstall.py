"""`s1ctl uninstall`: take the platform away; its data stays unless that is asked for by name."""

from typing import TYPE_CHECKING, Annotated

import typer

from s1ctl.cli import context
from s1ctl.cli.operate import DryRun, Yes
from s1ctl.errors import UsageError

if TYPE_CHECKING:
    from s1ctl.operation.uninstall import Removal

SCHEMA = 1


def uninstall(
    line: typer.Context,
    *,
    purge_data: Annotated[
        bool,
        typer.Option(
            "--purge-data", help="Also remove volumes, generated secrets, points and backups."
        ),
    ] = False,
    site_name: Annotated[
        str, typer.Option(metavar="NAME", help="The site's name, for `--purge-data`.")
    ] = "",
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Take the platform away; its data stays for the next install.

    With `--purge-data` the data goes too, for good: the site's name must be typed, or given.
    """
    from s1ctl.cli.surroundings import acting, unwatched
    from s1ctl.operation.uninstall import find_removal
    from s1ctl.operation.uninstall import uninstall as act

    here = context.of(line)
    with acting(here, unwatched) as surroundings:
        removal = find_removal(surroundings)
        text = describe(removal, here.site.name, is_data_purged=purge_data)
        data = document(removal, is_data_purged=purge_data)
        if dry_run:
            here.output.result(text, {**data, "done": False})
            return
        if not here.output.is_json:
            here.output.say("\n".join(text), is_vital=not yes)
        if not _consents(here, site_name, is_data_purged=purge_data, is_yes=yes):
            raise typer.Abort
        act(surroundings, is_data_purged=purge_data)
    here.output.result(_end(removal, is_data_purged=purge_data), {**data, "done": True})


def describe(removal: "Removal", site: str, *, is_data_purged: bool) -> list[str]:
    """Say what goes and what stays."""
    installed = removal.installed
    lines = [f"uninstall of {site}: {installed.version if installed else 'nothing is recorded'}"]
    lines += [f"  goes   container {name}" for name in removal.containers]
    lines.append("  goes   the site's networks, and the files of its edges")
    word = "goes " if is_data_purged else "stays"
    lines += [f"  {word}  volume {name}" for name in removal.volumes]
    lines.append(f"  {word}  generated secrets, rollback points, backups")
    lines += [f"  stays  database {name}, at its own server" for name in removal.foreign]
    return [*lines, "  stays  loaded releases, images, journal"]


def document(removal: "Removal", *, is_data_purged: bool) -> dict[str, object]:
    """Make the plain data of a removal."""
    return {
        "schema": SCHEMA,
        "installed": str(removal.installed.version) if removal.installed else None,
        "containers": list(removal.containers),
        "volumes": list(removal.volumes),
        "foreign_databases": list(removal.foreign),
        "is_data_purged": is_data_purged,
    }


def _consents(here: context.Here, typed: str, *, is_data_purged: bool, is_yes: bool) -> bool:
    """Ask. Raises `UsageError` S1-U110 for another name than the site's."""
    if not is_data_purged:
        return here.confirm("uninstall?", is_yes=is_yes)
    name = here.site.name
    if not typed:
        here.require_terminal(f"`--site-name {name}`")
        typed = typer.prompt("its data goes for good; type the site's name", err=True)
    if typed != name:
        raise UsageError(
            f"this site is `{name}`, not `{typed}`; nothing was removed",
            code="S1-U110",
            hint="read which site the site file describes: `s1ctl status`",
        )
    return True


def _end(removal: "Removal", *, is_data_purged: bool) -> list[str]:
    count = len(removal.containers)
    if is_data_purged:
        return [f"uninstalled, with its data: {count} containers, {len(removal.volumes)} volumes"]
    return [
        f"uninstalled: {count} containers; its data is kept",
        "next: `s1ctl install --bundle FILE` finds it again",
        "or: `s1ctl uninstall --purge-data` removes it for good",
    ]
