import sqlalchemy as sa
from alembic import op

from s1ctl.database import ops

revision = "0006"
down_revision = "0005"
phase, release = "expand", "2.0.0"


def upgrade():
    op.add_column("entries", sa.Column("amount", sa.BigInteger))
    op.execute("""
        CREATE FUNCTION entries_amount() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.amount := coalesce(NEW.amount, NEW.cents);
            NEW.cents := coalesce(NEW.cents, NEW.amount);
            RETURN NEW;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER entries_amount BEFORE INSERT ON entries
            FOR EACH ROW EXECUTE FUNCTION entries_amount()
    """)
    ops.add_check("entries_amount_present", "entries", "amount IS NOT NULL")


def downgrade():
    op.execute("DROP TRIGGER entries_amount ON entries")
    op.execute("DROP FUNCTION entries_amount()")
    op.drop_column("entries", "amount")
