from s1ctl.database.ops import Backfill

revision = "0008"
down_revision = "0007"
phase, release = "backfill", "2.0.0"

backfill = Backfill(
    table="entries",
    key=("id",),
    set="amount = cents",
    where="amount IS NULL",
    verify="SELECT count(*) FROM entries WHERE amount IS NULL",
)
