"""The time axis of a report: working time only, with the pauses cut out and named."""

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, pairwise

from s1ctl.report.attempts import Attempt

WIDTH = 1000
PAUSE_S = 30.0
TICKS = 6
STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A place on the axis, from 0 to WIDTH, with the seconds that it stands for."""

    x: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """`places` are those of the journal's entries; `pauses` are marks with their own length."""

    seconds: float
    places: tuple[float, ...]
    ticks: tuple[Mark, ...]
    pauses: tuple[Mark, ...]


def make_axis(times: Sequence[datetime], attempts: Sequence[Attempt]) -> Axis:
    """Lay the entries out; time between two in which no step ran counts only if it is short."""
    busy = {place for a in attempts for place in range(a.first, a.last)}
    gaps = [(b - a).total_seconds() for a, b in pairwise(times)]
    is_pause = [gap > PAUSE_S and place not in busy for place, gap in enumerate(gaps)]
    worked = (0.0 if cut else max(gap, 0.0) for gap, cut in zip(gaps, is_pause, strict=True))
    sums = list(accumulate(worked, initial=0.0))[: len(times)]
    total = sums[-1] if sums else 0.0
    scale = WIDTH / total if total else 0.0
    return Axis(
        seconds=total,
        places=tuple(s * scale for s in sums),
        ticks=_ticks(total),
        pauses=tuple(
            Mark(x=sums[place] * scale, seconds=gap)
            for place, gap in enumerate(gaps)
            if is_pause[place]
        ),
    )


def _ticks(total: float) -> tuple[Mark, ...]:
    if not total:
        return ()
    step = STEPS_S[min(bisect(STEPS_S, total / TICKS), len(STEPS_S) - 1)]
    count = int(total / step)
    return tuple(Mark(x=n * step / total * WIDTH, seconds=n * step) for n in range(count + 1))
