from s1ctl.database.ops import Backfill

revision = "0003"
down_revision = "0002"
phase, release = "backfill", "1.1.0"

backfill = Backfill(
    table="entries",
    key=("id",),
    set="currency = 'EUR'",
    where="currency IS NULL",
    verify="SELECT count(*) FROM entries WHERE currency IS NULL",
)
