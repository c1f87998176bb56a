"""Units that run at a site whose ledger knows of nothing: its state directory was lost."""

from s1ctl.errors import SiteHeld
from s1ctl.operation.context import Context
from s1ctl.release.manifest import ReleaseManifest


def refuse_unknown_units(context: Context, manifest: ReleaseManifest) -> None:
    """Refuse to install over what the ledger has lost.

    Data units do not count: an install that failed leaves them, and must be repeatable. Raises
    `SiteHeld` S1-N28.
    """
    data = {unit.name for unit in manifest.units if unit.role == "data"}
    found = context.target.running()
    units = sorted({e.unit for e in found if e.state == "running" and e.unit not in data})
    if units:
        raise SiteHeld(
            f"{', '.join(f'`{unit}`' for unit in units)} of this site run here, and the ledger "
            "knows of no release",
            code="S1-N28",
            hint="restore the state directory from the host's backup; to begin anew, "
            "run `s1ctl uninstall` first",
        )
