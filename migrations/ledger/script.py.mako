"""${message}."""

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Additions only: the s1ctl before this one still reads the ledger."""
    ${upgrades if upgrades else "pass"}
