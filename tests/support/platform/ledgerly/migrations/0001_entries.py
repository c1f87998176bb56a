import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
phase, release = "expand", "1.0.0"


def upgrade():
    op.create_table(
        "entries",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("cents", sa.Integer, nullable=False),
        sa.Column("memo", sa.Text, nullable=False, server_default=""),
    )


def downgrade():
    op.drop_table("entries")
