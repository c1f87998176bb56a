"""The message of events that are older than the column."""

from s1ctl.database.ops import Backfill

revision = "0008_message_backfill"
down_revision = "0007_message"
phase = "backfill"
release = "2.0.0"
backfill = Backfill(
    table="events",
    key=("id",),
    set="message = text",
    where="message IS NULL",
    verify="SELECT count(*) FROM events WHERE message IS NULL",
)
