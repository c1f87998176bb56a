from alembic import op

revision = "0010"
down_revision = "0009"
phase, release = "contract", "2.0.0"


def upgrade():
    op.alter_column("entries", "amount", nullable=False)
    op.drop_constraint("entries_amount_present", "entries")
    op.execute("DROP TRIGGER entries_amount ON entries")
    op.execute("DROP FUNCTION entries_amount()")
    op.drop_column("entries", "cents")
