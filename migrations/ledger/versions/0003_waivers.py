"""Remember the failed checks that somebody answers for."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the table of waivers."""
    op.create_table(
        "waivers",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("release", sa.String(255), nullable=False),
        sa.Column("check", sa.String(255), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_waivers"),
    )
    op.create_index("ix_waivers_release", "waivers", ["release"])
