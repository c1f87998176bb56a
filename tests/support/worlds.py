"""A world of effects for the executor, which can be killed at any moment."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from packaging.version import Version

from s1ctl.errors import S1Error, SiteHeld
from s1ctl.ledger.holder import own_holder
from s1ctl.ledger.ledger import Ledger, open_ledger
from s1ctl.operation.action import Action, Record
from s1ctl.operation.events import Event
from s1ctl.operation.interrupt import Interrupts
from s1ctl.operation.record import is_recorded
from s1ctl.operation.run import Item, Run
from s1ctl.plan.presence import Presence
from s1ctl.plan.steps import RecordRelease
from s1ctl.progress import Notify
from s1ctl.site.hooks import Hooks
from s1ctl.site.known import mask_of

# As the real actions are: tests/integration/test_world_contract.py holds both to one contract.
UNDONE = ("Roll", "Retire", "SetPassword", "StopApps", "RestoreBackup")
ALWAYS = ("CheckSite", "Prepare", "Soak")


class Killed(BaseException):
    """The process died here."""


@dataclass
class Mortal:
    """Dies at the moment with this number, or gets signals; counts the moments that pass."""

    at: int = 0
    passed: int = 0
    signals: tuple[signal.Signals, ...] = ()

    def moment(self) -> None:
        self.passed += 1
        if self.passed != self.at:
            return
        if not self.signals:
            raise Killed
        for number in self.signals:
            os.kill(os.getpid(), number)


@dataclass
class World:
    """Effects by step; `faults` fail when done, `unknown` cannot be probed."""

    ledger: Ledger
    state: Path = Path("/nowhere")
    mortal: Mortal = field(default_factory=Mortal)
    effects: list[str] = field(default_factory=list)
    faults: dict[str, S1Error | type[BaseException]] = field(default_factory=dict)
    undo_faults: dict[str, S1Error] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    steals: dict[str, Callable[[], object]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    mark: Any = None
    engine_fault: S1Error | None = None
    hooks: Hooks = field(default_factory=Hooks)
    clock: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        self.clock += timedelta(seconds=1)
        return self.clock

    def hold(self, mark: Any) -> None:
        """Lock as the engine does: the first one's mark stays."""
        if self.mark is not None and self.mark.operation != mark.operation:
            raise SiteHeld("held", code="S1-E30", hint="wait")
        self.mark = self.mark or mark

    def release_hold(self, operation: str) -> None:
        self.mortal.moment()
        if self.engine_fault is not None:
            raise self.engine_fault
        if self.mark is not None and self.mark.operation == operation:
            self.mark = None
        self.mortal.moment()

    def break_hold(self) -> None:
        self.mark = None

    @property
    def holder(self) -> str | None:
        return self.mark.operation if self.mark else None

    def context(self) -> Any:
        return SimpleNamespace(
            ledger=_MortalLedger(self.ledger, self.mortal),
            target=SimpleNamespace(
                hold=self.hold,
                release_hold=self.release_hold,
                break_hold=self.break_hold,
                holder=lambda: self.mark,
            ),
            holder=own_holder("operator"),
            now=self.now,
            clock=time.monotonic,
            tell=self.events.append,
            mask=mask_of(None, state=self.state, environment={}),
            interrupts=Interrupts(),
            site=SimpleNamespace(name="acme", hooks=self.hooks),
            site_file=None,
        )

    def action(self, item: Item, run: Run) -> Action:
        """Make an action whose effect is the step's name in `effects`, once."""
        name = f"{item.number}"
        if isinstance(item.step, RecordRelease):
            return self._record(item.step, run, name)

        def probe() -> Presence:
            if name in self.unknown:
                return Presence.UNKNOWN
            is_there = name in self.effects and type(item.step).__name__ not in ALWAYS
            return Presence.PRESENT if is_there else Presence.ABSENT

        def do(_: Notify) -> Record:
            self.steals.get(name, tuple)()
            self._fault(self.faults.get(name))
            self.mortal.moment()
            if name not in self.effects:
                self.effects.append(name)
            self.mortal.moment()
            return {"effect": name}

        def undo(_: Notify) -> Record:
            self._fault(self.undo_faults.get(name))
            self.mortal.moment()
            if name in self.effects:
                self.effects.remove(name)
            self.mortal.moment()
            return {}

        is_undone = type(item.step).__name__ in UNDONE
        return Action(probe=probe, do=do, undo=undo if is_undone else None)

    def _record(self, step: RecordRelease, run: Run, name: str) -> Action:
        def probe() -> Presence:
            return Presence.PRESENT if is_recorded(step, run) else Presence.ABSENT

        def do(_: Notify) -> Record:
            self._fault(self.faults.get(name))
            self.mortal.moment()
            self.ledger.releases.record_installed(
                digest=step.release,
                version=Version(step.version),
                instances=step.instances,
                settings=run.operation.plan.settings[str(step.release)],
                point=step.point,
                at=self.now(),
            )
            self.mortal.moment()
            return {}

        return Action(probe=probe, do=do, is_final=True)

    def _fault(self, fault: S1Error | type[BaseException] | None) -> None:
        if fault is not None:
            raise fault


class _MortalLedger:
    """The real ledger, with a moment to die before and after every journal entry."""

    def __init__(self, ledger: Ledger, mortal: Mortal) -> None:
        self._ledger = ledger
        self.operations = _Moments(ledger.operations, mortal, {"append", "set_state", "open"})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


class _Moments:
    def __init__(self, real: Any, mortal: Mortal, names: set[str]) -> None:
        self._real, self._mortal, self._names = real, mortal, names

    def __getattr__(self, name: str) -> Any:
        method: Callable[..., Any] = getattr(self._real, name)
        if name not in self._names:
            return method

        def mortal(*arguments: Any, **options: Any) -> Any:
            self._mortal.moment()
            result = method(*arguments, **options)
            self._mortal.moment()
            return result

        return mortal


def make_world(folder: Path) -> World:
    """Make an empty world with a real ledger, copied from one that was made once."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "ledger.db").write_bytes(_empty_ledger())
    return World(ledger=open_ledger(folder), state=folder)


@cache
def _empty_ledger() -> bytes:
    with TemporaryDirectory() as folder:
        open_ledger(Path(folder)).close()
        return (Path(folder) / "ledger.db").read_bytes()
