"""Remember backups and their proofs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the table of backups."""
    op.create_table(
        "backups",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("database", sa.String(255), nullable=False),
        sa.Column("release", sa.String(255), nullable=False),
        sa.Column("operation", sa.String(255)),
        sa.Column("document", sa.Text()),
        sa.PrimaryKeyConstraint("number", name="pk_backups"),
        sa.UniqueConstraint("id", name="uq_backups_id"),
    )
