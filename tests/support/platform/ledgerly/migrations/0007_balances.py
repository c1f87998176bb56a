import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
phase, release = "expand", "2.0.0"


def upgrade():
    op.create_table(
        "balances",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
    )


def downgrade():
    op.drop_table("balances")
