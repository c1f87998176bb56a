import sqlalchemy as sa
from alembic import op

from s1ctl.database import ops

revision = "0002"
down_revision = "0001"
phase, release = "expand", "1.1.0"


def upgrade():
    op.add_column("entries", sa.Column("currency", sa.Text))
    op.execute("""
        CREATE FUNCTION entries_currency() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.currency := coalesce(NEW.currency, 'EUR');
            RETURN NEW;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER entries_currency BEFORE INSERT OR UPDATE ON entries
            FOR EACH ROW EXECUTE FUNCTION entries_currency()
    """)
    ops.add_check("entries_currency_present", "entries", "currency IS NOT NULL")


def downgrade():
    op.execute("DROP TRIGGER entries_currency ON entries")
    op.execute("DROP FUNCTION entries_currency()")
    op.drop_column("entries", "currency")
