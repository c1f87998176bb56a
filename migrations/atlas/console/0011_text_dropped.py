"""The former name of message goes, and with it what kept the two equal."""

from alembic import op

revision = "0011_text_dropped"
down_revision = "0010_source_required"
phase = "contract"
release = "2.0.0"


def upgrade() -> None:
    """Ask for a message, which the validated constraint proves to be there; then drop `text`."""
    op.execute("DROP TRIGGER events_same_text ON events")
    op.execute("DROP FUNCTION events_same_text()")
    op.alter_column("events", "message", nullable=False)
    op.drop_constraint("events_message", "events")
    op.drop_column("events", "text")
