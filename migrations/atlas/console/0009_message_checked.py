"""The constraint on message holds for every row."""

from alembic import op

from s1ctl.database.ops import add_check, validate

revision = "0009_message_checked"
down_revision = "0008_message_backfill"
phase = "enforce"
release = "2.0.0"


def upgrade() -> None:
    """Validate it; others read and write meanwhile."""
    validate("events_message", "events")


def downgrade() -> None:
    """Have it unvalidated, as before."""
    op.drop_constraint("events_message", "events")
    add_check("events_message", "events", "message IS NOT NULL")
