"""The severity of events that are older than the column."""

from s1ctl.database.ops import Backfill

revision = "0004_severity_backfill"
down_revision = "0003_severity_index"
phase = "backfill"
release = "1.1.0"
backfill = Backfill(
    table="events",
    key=("id",),
    set="severity = CASE WHEN level > 3 THEN 'high' ELSE 'low' END",
    where="severity IS NULL",
    verify="SELECT count(*) FROM events WHERE severity IS NULL",
)
