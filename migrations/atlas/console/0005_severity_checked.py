"""The constraint on severity holds for every row."""

from alembic import op

from s1ctl.database.ops import add_check, validate

revision = "0005_severity_checked"
down_revision = "0004_severity_backfill"
phase = "enforce"
release = "1.1.0"


def upgrade() -> None:
    """Validate it; others read and write meanwhile."""
    validate("events_severity", "events")


def downgrade() -> None:
    """Have it unvalidated, as before."""
    op.drop_constraint("events_severity", "events")
    add_check("events_severity", "events", "severity IS NOT NULL AND severity IN ('low', 'high')")
