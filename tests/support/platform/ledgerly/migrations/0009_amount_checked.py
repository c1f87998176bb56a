from s1ctl.database import ops

revision = "0009"
down_revision = "0008"
phase, release = "enforce", "2.0.0"


def upgrade():
    ops.validate("entries_amount_present", "entries")


def downgrade():
    pass
