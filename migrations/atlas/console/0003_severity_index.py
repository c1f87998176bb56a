"""An index for lists of events of one severity, made while others read and write."""

from s1ctl.database.ops import create_index, drop_index

revision = "0003_severity_index"
down_revision = "0002_severity"
phase = "expand"
release = "1.1.0"
transactional = False


def upgrade() -> None:
    """Make the index."""
    create_index("events_severity_id", "events", ["severity", "id"])


def downgrade() -> None:
    """Drop it."""
    drop_index("events_severity_id", "events")
