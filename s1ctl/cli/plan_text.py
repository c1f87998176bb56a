"""Plans in words, as plain data, and compared with the one that was approved."""

import difflib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from s1ctl.errors import InputOutputFailed, PlanDiffers, UsageError
from s1ctl.files import unreadable
from s1ctl.plan.explain import explain_plan
from s1ctl.plan.plan import Plan
from s1ctl.shape import ShapeError, parse_value, plain


def describe(plan: Plan) -> list[str]:
    """Say the plan in lines."""
    return list(explain_plan(plan))


def document(plan: Plan) -> dict[str, Any]:
    """Make the plain data of a plan, with its digest."""
    return {"digest": str(plan.digest), "plan": plain(plan)}


def write_plan(plan: Plan, path: Path) -> None:
    """Write the plan as a file that `--plan` reads; the same plan may lie there already.

    Raises `UsageError` S1-U84 where another one does: it may be approved.
    """
    from s1ctl.files import write_new_file

    raw = json.dumps(document(plan), indent=2, sort_keys=True).encode() + b"\n"
    try:
        if not path.is_file() or path.read_bytes() != raw:
            write_new_file(path, raw)
    except FileExistsError:
        raise UsageError(
            f"`{path}` is already there, and is not this plan",
            code="S1-U84",
            hint="name another file, or move that one away",
        ) from None
    except OSError as error:
        raise InputOutputFailed(
            f"`{path}` cannot be written: {error.strerror}", code="S1-I02", hint="check its folder"
        ) from None


def check_approved(plan: Plan, path: Path) -> None:
    """Compare a plan with the one in `path`. Raises `PlanDiffers` S1-N90 with the difference."""
    approved = read_plan(path)
    if approved.digest == plan.digest:
        return
    changes = "\n".join(difference(approved, plan))
    raise PlanDiffers(
        f"the plan is now `{plan.digest}`, and `{approved.digest}` was approved:\n{changes}",
        code="S1-N90",
        hint="run `s1ctl plan --to VERSION --out FILE` with a new file, and have that approved",
    )


def difference(approved: Plan, now: Plan) -> list[str]:
    """Say what differs: first the lines that a person reads, then the values behind them.

    Where lines differ the values of steps are left out: they say the same once more.
    """
    lines = list(
        difflib.unified_diff(
            list(explain_plan(approved))[:-1],
            list(explain_plan(now))[:-1],
            "approved",
            "now",
            lineterm="",
            n=0,
        )
    )
    before, after = dict(_values("", plain(approved))), dict(_values("", plain(now)))
    places = [p for p in sorted(before.keys() | after.keys()) if before.get(p) != after.get(p)]
    if lines:
        places = [place for place in places if not place.startswith(("hops", "stage"))]
    values = (
        f"{sign}{place}: {json.dumps(found[place])}"
        for place in places
        for sign, found in (("-", before), ("+", after))
        if place in found
    )
    return [line for line in lines if not line.startswith("@@")] + list(values)


def _values(place: str, data: object) -> Iterator[tuple[str, object]]:
    """Yield every value of plain data with its place, such as `hops[0].why`."""
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from _values(f"{place}.{key}" if place else key, value)
    elif isinstance(data, list | tuple) and data:
        for number, value in enumerate(data):
            yield from _values(f"{place}[{number}]", value)
    else:
        yield place, data


def read_plan(path: Path) -> Plan:
    """Read a plan that `write_plan` wrote. Raises `UsageError` S1-U90."""
    try:
        data = json.loads(path.read_bytes())
        plan = parse_value(data["plan"], Plan)
    except OSError as error:
        raise unreadable(path, error) from None
    except (ValueError, KeyError, TypeError, ShapeError):
        raise _no_plan(path) from None
    if data.get("digest") != plan.digest:
        raise _no_plan(path)
    return plan


def _no_plan(path: Path) -> UsageError:
    return UsageError(
        f"`{path}` is not a plan as it was written",
        code="S1-U90",
        hint="write it anew with `s1ctl plan --to VERSION --out FILE`, into another file",
    )
