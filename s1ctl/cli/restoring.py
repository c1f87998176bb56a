"""What `s1ctl rollback --restore` would lose: shown first, and refused where it is not accepted."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from s1ctl.cli.operate import Cost
from s1ctl.cli.progress import UNKNOWN_AGE
from s1ctl.errors import UsageError

if TYPE_CHECKING:
    from s1ctl.cli.operate import Price
    from s1ctl.operation.backups import Announcement
    from s1ctl.operation.context import Context
    from s1ctl.plan.plan import Plan


def price_of(*, is_accepted: bool) -> "Price":
    """Make what says the price of a restore."""

    def price(context: "Context", plan: "Plan") -> Cost:
        from s1ctl.operation.backups import announce
        from s1ctl.shape import plain

        found = announce(context, plan)
        return Cost(
            lines=tuple(line for one in found for line in describe(one)),
            data={one.database: plain(one) for one in found},
            refusal=None if is_accepted else refusal(found),
        )

    return price


def describe(one: "Announcement") -> list[str]:
    """Say what would go of one database."""
    backup = f"backup {one.backup} was taken {one.minutes} min ago, at {one.taken_at}"
    if one.minutes is None:
        backup = f"backup {one.backup} was taken at {one.taken_at}; how long ago is {UNKNOWN_AGE}"
    total = sum(one.rows.values())
    if not total:
        return [f"would be lost in {one.database}: no row; {backup}"]
    lines = [f"would be lost in {one.database}: {total} rows; {backup}"]
    return lines + [f"  {table}: {count}" for table, count in sorted(one.rows.items())]


def _writes(one: "Announcement") -> str:
    if one.minutes is None:
        return f"the writes of a time that is {UNKNOWN_AGE}"
    return f"the writes of {one.minutes} min"


def refusal(found: "Sequence[Announcement]") -> UsageError:
    """Refuse a loss that nobody accepted, with its numbers."""
    parts = [f"{sum(one.rows.values())} rows of `{one.database}`, {_writes(one)}" for one in found]
    return UsageError(
        f"a restore would lose {'; '.join(parts) or 'nothing'}",
        code="S1-U155",
        hint="if they may go, run the same with `--accept-data-loss`; they are archived first",
    )
