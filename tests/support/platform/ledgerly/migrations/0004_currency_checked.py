from s1ctl.database import ops

revision = "0004"
down_revision = "0003"
phase, release = "enforce", "1.1.0"


def upgrade():
    ops.validate("entries_currency_present", "entries")


def downgrade():
    pass
