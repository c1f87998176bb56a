"""Builders: lineages of revisions as a release would carry them."""

from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

from packaging.version import Version

from s1ctl.database.layout import lay_out
from s1ctl.database.runner import Order
from s1ctl.oci.digest import Digest
from s1ctl.release.manifest import Access, Phase, Revision, Schema
from s1ctl.site.secrets import Secret

_HEAD = """\
from alembic import op
import sqlalchemy as sa
from s1ctl.database import ops
from s1ctl.database.ops import Backfill

revision = {id!r}
down_revision = {previous!r}
phase, release = {phase!r}, {release!r}
"""


@dataclass
class Lineage:
    """A release's blobs and the schema that names them; `add` appends a revision."""

    revisions: tuple[Revision, ...] = ()
    blobs: dict[Digest, bytes] = field(default_factory=dict)

    def add(
        self, name: str, phase: Phase, text: str, *, release: str = "1.0.0", head: str = _HEAD
    ) -> "Lineage":
        previous = self.revisions[-1].id if self.revisions else None
        start = head.format(id=name, previous=previous, phase=phase, release=release)
        raw = (start + dedent(text)).encode()
        digest = Digest.of(raw)
        made = Revision(id=name, phase=phase, release=Version(release), digest=digest)
        return Lineage((*self.revisions, made), {**self.blobs, digest: raw})

    def small(self, digest: Digest, /) -> bytes:
        return self.blobs[digest]

    @property
    def schema(self) -> Schema:
        access = Access(dbname="console", user="console", password="console_password")
        return Schema(
            database="console", engine="postgresql", access=access, revisions=self.revisions
        )

    def order(self, dsn: Secret, revision: str, folder: Path, **options: object) -> Order:
        """Lay the lineage out in `folder` and make the order of one revision."""
        lay_out(self, self.schema, folder)
        values = {"operation": "op-1", "plan": "sha256:" + "0" * 64, "fence": 1, **options}
        return Order(dsn=dsn, schema=self.schema, revision=revision, folder=folder, **values)  # type: ignore[arg-type]


def small_lineage() -> Lineage:
    """A small life of a table: created, widened, filled, indexed, enforced, contracted."""
    return (
        Lineage()
        .add("0001", "expand", """
            def upgrade():
                op.create_table(
                    "events",
                    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
                    sa.Column("level", sa.Integer, nullable=False),
                )

            def downgrade():
                op.drop_table("events")
            """)
        .add("0002", "expand", """
            def upgrade():
                op.add_column("events", sa.Column("severity", sa.Text))
                ops.add_check("severity_known", "events", "severity IS NOT NULL")
                op.execute('''
                    CREATE FUNCTION fill_severity() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN
                        NEW.severity := coalesce(
                            NEW.severity, CASE WHEN NEW.level > 3 THEN 'high' ELSE 'low' END);
                        RETURN NEW;
                    END $$;
                    CREATE TRIGGER fill_severity BEFORE INSERT OR UPDATE ON events
                        FOR EACH ROW EXECUTE FUNCTION fill_severity();
                ''')

            def downgrade():
                op.execute("DROP TRIGGER fill_severity ON events")
                op.execute("DROP FUNCTION fill_severity()")
                op.drop_column("events", "severity")
            """, release="1.1.0")
        .add("0003", "backfill", """
            backfill = Backfill(
                table="events", key=("id",),
                set="severity = CASE WHEN level > 3 THEN 'high' ELSE 'low' END",
                where="severity IS NULL",
                verify="SELECT count(*) FROM events WHERE severity IS NULL",
            )
            """, release="1.1.0")
        .add("0004", "expand", """
            transactional = False

            def upgrade():
                ops.create_index("events_severity", "events", ["severity"])

            def downgrade():
                ops.drop_index("events_severity", "events")
            """, release="1.1.0")
        .add("0005", "enforce", """
            def upgrade():
                ops.validate("severity_known", "events")

            def downgrade():
                pass
            """, release="1.1.0")
        .add("0006", "contract", """
            def upgrade():
                op.execute("DROP TRIGGER fill_severity ON events")
                op.execute("DROP FUNCTION fill_severity()")
                op.drop_column("events", "level")
            """, release="1.2.0")
    )  # fmt: skip
