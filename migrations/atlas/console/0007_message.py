"""`text` is to be called `message`, and an event says its `source`.

A column cannot be renamed under code that runs. So there are two for a while, and a trigger keeps
them equal in both directions: 1.1.0 knows `text` only, 2.0.0 `message` only. What 1.1.0 writes has
the source that is the default.
"""

import sqlalchemy as sa
from alembic import op

from s1ctl.database.ops import add_check

revision = "0007_message"
down_revision = "0006_severity_required"
phase = "expand"
release = "2.0.0"


def upgrade() -> None:
    """Add the columns, the trigger and the constraint; no row is read or written."""
    op.add_column("events", sa.Column("message", sa.Text, nullable=True))
    op.add_column("events", sa.Column("source", sa.Text, nullable=False, server_default="unknown"))
    op.execute(
        """
        CREATE FUNCTION events_same_text() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' AND NEW.message IS NOT DISTINCT FROM OLD.message THEN
                NEW.message := NEW.text;
            ELSE
                NEW.message := coalesce(NEW.message, NEW.text);
            END IF;
            NEW.text := NEW.message;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER events_same_text BEFORE INSERT OR UPDATE ON events "
        "FOR EACH ROW EXECUTE FUNCTION events_same_text()"
    )
    add_check("events_message", "events", "message IS NOT NULL")


def downgrade() -> None:
    """Drop all of it; `text` has every value."""
    op.drop_constraint("events_message", "events")
    op.execute("DROP TRIGGER events_same_text ON events")
    op.execute("DROP FUNCTION events_same_text()")
    op.drop_column("events", "source")
    op.drop_column("events", "message")
