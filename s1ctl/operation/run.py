"""One process's run of an open operation, and the steps it numbers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from s1ctl.errors import StepFailed
from s1ctl.ledger.operations import Operation
from s1ctl.oci.digest import Digest
from s1ctl.operation.action import Action
from s1ctl.operation.context import Context
from s1ctl.plan.plan import Hop, Settings
from s1ctl.plan.steps import AnyStep, RecordPoint
from s1ctl.site.config import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A step with its number in the plan, from 1, and its hop (None in the stage)."""

    number: int
    step: AnyStep
    hop: Hop | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The context, the operation, the fencing number under which it runs, and what acts.

    `turns` gains an entry when this run turns back.
    """

    context: Context
    operation: Operation
    fence: int
    actions: "Callable[[Item, Run], Action]"
    turns: list[str] = field(default_factory=list)

    @property
    def is_turned_back(self) -> bool:
        """Whether the operation is being taken back, by this run or one before."""
        return bool(self.turns) or self.operation.direction == "undo"

    def settings(self, release: Digest, hop: Hop | None) -> Settings:
        """Find the settings of a release: the plan's, or those that the hop's point recorded."""
        planned = self.operation.plan.settings.get(str(release))
        if planned is not None:
            return planned
        for step in hop.steps if hop else ():
            if isinstance(step, RecordPoint):
                point = self.context.ledger.points.find(step.point)
                if point is not None and point.release == release and point.settings is not None:
                    return point.settings
        installed = self.context.ledger.releases.installed()
        if installed is not None and installed.digest == release:
            return installed.settings
        raise self._unrecorded(f"release `{release}`")

    def former_settings(self) -> Settings:
        """Find the settings of what ran before the hop: until its end they are the installed ones.

        The plan has others for the same release where only settings change.
        """
        installed = self.context.ledger.releases.installed()
        if installed is None:
            raise self._unrecorded("what ran before")
        return installed.settings

    def _unrecorded(self, what: str) -> StepFailed:
        return StepFailed(
            f"the settings of {what} are recorded nowhere",
            code="S1-O02",
            hint=f"keep the state directory, and send `{self.log}` to the vendor",
        )

    @property
    def log(self) -> Path:
        """Where the events of this operation are kept."""
        return log_file(self.context.site, self.operation.id)


def log_file(site: Site, operation: str) -> Path:
    """Say where the events of an operation are kept."""
    return site.state / "logs" / f"{operation}.ndjson"
