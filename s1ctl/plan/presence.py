"""Whether an effect is there: what a probe answers."""

from enum import Enum


class Presence(Enum):
    """UNKNOWN never counts as either; whoever meets it stops and asks."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"
