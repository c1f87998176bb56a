"""Whoever writes an event says its source; release 1.1.0, which does not, cannot write any more."""

from alembic import op

revision = "0010_source_required"
down_revision = "0009_message_checked"
phase = "contract"
release = "2.0.0"


def upgrade() -> None:
    """Drop the default that stood in for it."""
    op.alter_column("events", "source", server_default=None)
