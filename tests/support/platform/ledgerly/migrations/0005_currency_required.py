from alembic import op

revision = "0005"
down_revision = "0004"
phase, release = "contract", "1.1.0"


def upgrade():
    op.alter_column("entries", "currency", nullable=False)
    op.drop_constraint("entries_currency_present", "entries")
    op.execute("DROP TRIGGER entries_currency ON entries")
    op.execute("DROP FUNCTION entries_currency()")
