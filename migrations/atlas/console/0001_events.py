"""The events table."""

import sqlalchemy as sa
from alembic import op

revision = "0001_events"
down_revision = None
phase = "expand"
release = "1.0.0"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("key", sa.Uuid, nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        sa.UniqueConstraint("key", name="events_key"),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("events")
