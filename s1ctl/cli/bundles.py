"""Bundles on the command line and on media: those of the path are loaded before it is planned."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from s1ctl.cli.context import Here
from s1ctl.errors import UsageError

if TYPE_CHECKING:
    from packaging.version import Version

    from s1ctl.bundle.media import Found
    from s1ctl.oci.digest import Digest
    from s1ctl.operation.route import Bundle


def load_path(
    here: Here, given: list[Path] | None, goal: "Version", reasons: Mapping[str, str]
) -> None:
    """Load the files that are given, and from folders what the path to `goal` lacks.

    Without any, the site file's `media` are searched. Nothing is loaded for a `goal` below what is
    installed: the plan refuses it.
    """
    installed = here.ledger.releases.installed()
    if installed is not None and goal < installed.version:
        return
    for file in given or ():
        if not file.is_dir():
            load(here, file)
    found = search(here, [path for path in given or () if path.is_dir()] if given else None)
    if not found or installed is None or goal == installed.version:
        return  # the plan says what is wrong, if anything is
    places = {item.version: item for item in found}
    for bundle in carry(here, goal, reasons, found):
        if not bundle.is_loaded and bundle.version in places:
            load(here, places[bundle.version].path)


def choose_install(here: Here, given: list[Path] | None) -> "Digest":
    """Load the one bundle that is given or found, and say its digest.

    Raises `UsageError` S1-U55 where there is none, or more than one.
    """
    if given and not any(path.is_dir() for path in given) and len(given) == 1:
        return load(here, given[0])
    found = search(here, given)
    if len(found) != 1:
        names = ", ".join(f"{item.version} (`{item.path}`)" for item in found)
        raise UsageError(
            f"one bundle is installed, and found were: {names}" if found else "no bundle was found",
            code="S1-U55",
            hint="name one: `s1ctl install --bundle FILE`",
        )
    return load(here, found[0].path)


def refuse_dry_load(given: list[Path] | None) -> None:
    """Raise `UsageError` S1-U120 where a dry run would have to load a bundle first."""
    if given:
        raise UsageError(
            "`--bundle` loads a bundle, and `--dry-run` does nothing",
            code="S1-U120",
            hint="run `s1ctl load FILE` first, then `--dry-run` without `--bundle`",
        )


def choose_dry_install(here: Here, given: list[Path] | None) -> "Digest":
    """Say the digest of the one release that is loaded; nothing is loaded.

    Raises `UsageError` S1-U120 with bundles, S1-U55 where not exactly one release is loaded.
    """
    refuse_dry_load(given)
    loaded = here.ledger.releases.loaded()
    if len(loaded) != 1:
        names = ", ".join(str(release.version) for release in loaded) or "none"
        raise UsageError(
            f"one release is installed, and loaded are: {names}",
            code="S1-U55",
            hint="run `s1ctl load FILE` with the bundle of the one to install",
        )
    return loaded[0].digest


def search(here: Here, paths: list[Path] | None) -> "tuple[Found, ...]":
    """Find the bundles in `paths`, or on the media where that is None; reads headers only."""
    from s1ctl.bundle.media import find_bundles, media_folders

    folders = media_folders(here.site.media) if paths is None else paths
    return find_bundles(folders, here.trust, warn=here.output.say) if folders else ()


def carry(
    here: Here, goal: "Version", reasons: Mapping[str, str], found: "tuple[Found, ...]"
) -> "tuple[Bundle, ...]":
    """List the bundles of the path to `goal`; those found count as to be had."""
    from s1ctl.cli.surroundings import make_context
    from s1ctl.operation.route import list_carry

    installed = here.ledger.releases.installed()
    return list_carry(
        make_context(here),
        installed.version if installed else None,
        goal,
        reasons,
        at_hand=[item.manifest for item in found],
    )


def load(here: Here, file: Path) -> "Digest":
    """Load one bundle, say so, and answer its digest."""
    from s1ctl.cli.load import load_file
    from s1ctl.oci.digest import Digest

    text, document = load_file(here, file)
    here.output.say("\n".join(text))
    return Digest(document["digest"])
