"""A severity for events.

Release 1.0.0 does not write it, so a trigger does: what it inserts while rows are filled in, and
after a rollback, has its severity too, and satisfies the constraint.
"""

import sqlalchemy as sa
from alembic import op

from s1ctl.database.ops import add_check

revision = "0002_severity"
down_revision = "0001_events"
phase = "expand"
release = "1.1.0"


def upgrade() -> None:
    """Add the column, the trigger and the constraint; no row is read or written."""
    op.add_column("events", sa.Column("severity", sa.Text, nullable=True))
    op.execute(
        """
        CREATE FUNCTION events_fill_severity() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.severity := CASE WHEN NEW.level > 3 THEN 'high' ELSE 'low' END;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER events_fill_severity BEFORE INSERT OR UPDATE ON events "
        "FOR EACH ROW WHEN (NEW.severity IS NULL) EXECUTE FUNCTION events_fill_severity()"
    )
    add_check("events_severity", "events", "severity IS NOT NULL AND severity IN ('low', 'high')")


def downgrade() -> None:
    """Drop all of it."""
    op.drop_constraint("events_severity", "events")
    op.execute("DROP TRIGGER events_fill_severity ON events")
    op.execute("DROP FUNCTION events_fill_severity()")
    op.drop_column("events", "severity")
