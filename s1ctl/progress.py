"""Progress of something long, told by doers and shown by the command line."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`done` of `total` (0: not known) in `unit`; `label` names the thing that is worked on."""

    label: str
    done: int
    total: int
    unit: str = "bytes"


Notify = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Tell nobody."""
