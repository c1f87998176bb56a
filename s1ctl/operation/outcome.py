"""How an operation ended."""

from dataclasses import dataclass
from typing import Literal

from s1ctl.errors import S1Error
from s1ctl.operation.loss import Loss

State = Literal["done", "taken-back", "paused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of one run of an operation; `head` is the journal's newest hash, or None.

    None: the end could not be written.
    `error` is the inner reason; `is_interrupted` tells a pause by signal from one by error.
    `version` is the release at which the site is now, None where nothing is installed. `loss` is
    what a restore announced, and what really went. `origin` and `goal` are the releases between
    which the plan leads; `is_turned_back` tells that resuming goes on taking back.
    """

    operation: str
    verb: str
    state: State
    version: str | None
    head: str | None
    seconds: float
    error: S1Error | None = None
    is_interrupted: bool = False
    probe: dict[str, object] | None = None
    loss: Loss | None = None
    origin: str | None = None
    goal: str | None = None
    is_turned_back: bool = False
