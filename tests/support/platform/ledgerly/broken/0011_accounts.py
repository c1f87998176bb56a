from s1ctl.database import ops

revision = "0011"
down_revision = "0010"
phase, release = "expand", "2.1.1"


def upgrade():
    ops.add_foreign_key(
        "entries_account", "entries", ["account"], to="accounts", to_columns=["name"]
    )


def downgrade():
    pass
