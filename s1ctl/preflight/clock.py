"""The clock of this host against those of the registry, the databases and the engine."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

from s1ctl.errors import S1Error
from s1ctl.preflight.check import Check, Values
from s1ctl.preflight.collect import Collector
from s1ctl.preflight.engine import read_clock
from s1ctl.preflight.finding import Fix, Judgement, Required, failed, passed, skipped
from s1ctl.preflight.needs import Needs
from s1ctl.preflight.postgresql import Connect
from s1ctl.site.facts import Fact

if TYPE_CHECKING:
    from s1ctl.oci.registry import Registry

WARNS_S = 2
FAILS_S = 30  # tokens and certificates are refused by then
WHOLE_S = 1  # a `Date` is cut to the second
NANOSECONDS = re.compile(r"(\.\d{6})\d+")
FIX = Fix(command="timedatectl; date -u", where="this host", safe=True)
Read = Callable[[], "datetime | None"]
Reading = dict[str, Any]


def collectors(
    socket: str,
    registry: "Callable[[], Registry] | None",
    databases: Mapping[str, Connect],
    now: Callable[[], datetime],
) -> dict[str, Collector]:
    """List whose time is asked, between two looks at our own; no `registry` where none is needed.

    A clock that cannot be read is said with its reason: other checks say what is wrong there.
    """

    def ask_registry() -> Fact:
        value = _measure(lambda: registry().date(), now, WHOLE_S) if registry else None
        return Fact(value={"the registry": value} if value else {}, source="registry, `Date`")

    def ask_databases() -> Fact:
        value = {f"database {n}": _measure(_asking(c), now) for n, c in databases.items()}
        return Fact(value=value, source="clock_timestamp()")

    def ask_engine() -> Fact:
        value = _measure(lambda: _parse(read_clock(socket)), now)
        return Fact(value={"the engine": value}, source=f"{socket} /info SystemTime")

    return {
        "clock.registry": ask_registry,
        "clock.databases": ask_databases,
        "clock.engine": ask_engine,
    }


def _measure(read: Read, now: Callable[[], datetime], whole_s: float = 0) -> Reading:
    """Compare a clock with ours: it was read somewhere between the question and the answer."""
    asked, began = now(), monotonic()
    try:
        theirs = read()
    except S1Error as error:
        return {"reason": f"{error.message} ({error.code})"}
    except (OSError, ValueError) as error:
        return {"reason": str(error)}
    if theirs is None:
        return {"reason": "it does not say the time"}
    half = timedelta(seconds=(monotonic() - began) / 2)
    ahead = theirs + timedelta(seconds=whole_s / 2) - (asked + half)
    bound = half.total_seconds() + whole_s / 2
    return {
        "reason": None,
        "ahead_s": round(ahead.total_seconds(), 3),
        "bound_s": round(bound, 3),
    }


def _asking(connect: Connect) -> Read:
    def ask() -> datetime | None:
        with connect() as database, database.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
            (seconds,) = cursor.fetchone() or (None,)
            return None if seconds is None else datetime.fromtimestamp(float(seconds), UTC)

    return ask


def _parse(text: str) -> datetime | None:
    """Read RFC 3339 with nanoseconds; older engines leave it out or say nothing."""
    if not text:
        return None
    found = datetime.fromisoformat(NANOSECONDS.sub(r"\1", text))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def judge_skew(values: Values, _: Needs) -> Judgement:
    """Judge by what is certain of each difference: less the time that asking took."""
    readings: dict[str, Any] = {}
    for name in ("clock.registry", "clock.databases", "clock.engine"):
        found: Any = values[name]
        readings |= found
    known = {who: one for who, one in readings.items() if one["reason"] is None}
    if not known:
        reasons = (f"{who}: {one['reason']}" for who, one in readings.items())
        return skipped(f"no other clock could be read: {'; '.join(reasons)}")
    worst = max(known, key=lambda who: _certain(known[who]))
    text = "; ".join(_said(who, one) for who, one in known.items())
    skew = _certain(known[worst])
    if skew <= WARNS_S:
        return passed(text, value=skew, unit="s")
    is_failed = skew > FAILS_S
    limit = FAILS_S if is_failed else WARNS_S
    return failed(
        text,
        f"Set this host's clock and that of {worst} by the same time source.",
        value=skew,
        unit="s",
        required=Required(op="<=", value=limit, unit="s", source="s1ctl"),
        fix=FIX,
        outcome="fail" if is_failed else "warn",
        about=(who for who, one in known.items() if _certain(one) > limit),
    )


def _certain(reading: Reading) -> float:
    return float(round(max(0.0, abs(reading["ahead_s"]) - reading["bound_s"]), 3))


def _said(who: str, reading: Reading) -> str:
    if _certain(reading) <= WARNS_S:
        return f"{who} has the same time"
    side = "ahead of" if reading["ahead_s"] > 0 else "behind"
    seconds = f"{abs(reading['ahead_s']):,.1f} s {side} this host"
    return f"{who} is {seconds}, give or take {reading['bound_s']:.1f} s"


CHECKS = (
    Check(
        id="clock.skew",
        title="this host, the engine, the registry and the databases have the same time",
        why="Tokens and certificates are refused by a clock that is wrong, and the records of what "
        "happened contradict each other.",
        severity="blocking",
        facts=("clock.registry", "clock.databases", "clock.engine"),
        judge=judge_skew,
    ),
)
