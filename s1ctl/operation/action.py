"""An action: how one step is probed, done and undone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from s1ctl.plan.presence import Presence
from s1ctl.progress import Notify

Record = Mapping[str, object]


def always() -> Presence:
    """Probe of a step that is done at every run."""
    return Presence.ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """`probe` asks whether the effect is there; `do` makes it and says what it changed.

    `undo` takes back what `do` made, also where `do` was killed half-way; None where nothing is
    to be taken back. With `is_final` a failure leaves no way back inside the hop: it pauses.
    """

    probe: Callable[[], Presence]
    do: Callable[[Notify], Record]
    undo: Callable[[Notify], Record] | None = None
    is_final: bool = False
