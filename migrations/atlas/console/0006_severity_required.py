"""Severity without the help that release 1.0.0 needed: whoever writes an event says it.

From here on 1.0.0 cannot write any more.
"""

from alembic import op

revision = "0006_severity_required"
down_revision = "0005_severity_checked"
phase = "contract"
release = "1.1.0"


def upgrade() -> None:
    """Drop the trigger; ask for a value, which the validated constraint proves to be there."""
    op.execute("DROP TRIGGER events_fill_severity ON events")
    op.execute("DROP FUNCTION events_fill_severity()")
    op.alter_column("events", "severity", nullable=False)
