"""Uninstall: take the platform from the engine, and keep its data unless that is to go too."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from s1ctl.errors import InputOutputFailed
from s1ctl.ledger.releases import Installed
from s1ctl.operation.context import Context
from s1ctl.operation.holding import holding
from s1ctl.operation.operate import refuse_if_unfinished

NAME = "uninstall"
DATA_FOLDERS = ("secrets", "points", "backups")


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What an uninstall would remove; `installed` is None where nothing is recorded.

    `foreign` are databases at servers of their own: nothing of them is ever removed.
    """

    installed: Installed | None
    containers: tuple[str, ...]
    volumes: tuple[str, ...]
    foreign: tuple[str, ...]


def find_removal(context: Context) -> Removal:
    """Find what is there. Raises `SiteHeld` S1-L03 while an operation is unfinished."""
    refuse_if_unfinished(context)
    databases = context.site.databases.items()
    return Removal(
        installed=context.ledger.releases.installed(),
        containers=tuple(each.container for each in context.target.running()),
        volumes=context.target.volumes(),
        foreign=tuple(sorted(name for name, access in databases if access.url is not None)),
    )


def uninstall(context: Context, *, is_data_purged: bool) -> tuple[str, ...]:
    """Remove containers, networks and edge files, then record that nothing is installed.

    With the data go volumes, generated secrets, points and backups; named are the volumes that
    went. The journal stays. Killed anywhere, it is simply run again. Raises `SiteHeld`.
    """
    with holding(context, NAME):
        refuse_if_unfinished(context)
        context.target.remove_containers()
        context.target.remove_edge_files()
        purged = _purge(context) if is_data_purged else ()
        context.ledger.releases.record_uninstalled(at=context.now())
    return purged


def _purge(context: Context) -> tuple[str, ...]:
    volumes = context.target.remove_volumes()
    for point in context.ledger.points.all():
        context.ledger.points.remove(point.id)
    for backup in context.ledger.backups.all():
        context.ledger.backups.remove(backup.id)
    for name in DATA_FOLDERS:
        _remove_folder(context.site.state / name)
    return volumes


def _remove_folder(folder: Path) -> None:
    try:
        if folder.is_dir():
            shutil.rmtree(folder)
    except OSError as error:
        raise InputOutputFailed(
            f"`{error.filename or folder}` cannot be removed: {error.strerror}",
            code="S1-I33",
            hint="check owner and mount of the state directory, then run the same command again",
        ) from None
