"""Revisions whose phase contradicts what they do."""

import pytest

from s1ctl.bundle.lint_migrations import check_migrations, unseen_migrations
from s1ctl.bundle.revisions import parse_migration
from tests.unit.bundle.test_bundle_lint import subject

HEAD = """\
import sqlalchemy as sa
from alembic import op
from s1ctl.database import ops
from s1ctl.database.ops import Backfill

revision, down_revision, release = "0002", "0001", "1.1.0"
phase = "{phase}"
{more}


def upgrade():
    {body}


def downgrade():
    op.drop_table("anything")
"""
FILL = 'backfill = Backfill(table="t", key=("id",), set="a = 1", where="a IS NULL", verify="")'
GOOD = [
    ("expand", 'op.create_table("t", sa.Column("id", sa.Integer, nullable=False))'),
    ("expand", 'op.add_column("t", sa.Column("a", sa.Text))'),
    ("expand", 'op.add_column("t", sa.Column("a", sa.Text, nullable=False, server_default="x"))'),
    ("expand", 'op.alter_column("t", "a", server_default="x")'),
    ("expand", 'op.execute("ALTER TABLE t ALTER COLUMN a DROP NOT NULL")'),
    ("expand", 'ops.add_check("c", "t", "a > 0")'),
    ("expand", 'op.create_check_constraint("c", "t", "a > 0", postgresql_not_valid=True)'),
    ("expand", 'op.execute("CREATE FUNCTION f() RETURNS x AS $$ DROP TABLE t; $$")'),
    ("expand", 'op.create_table("t"); op.create_index("i", "t", ["a"])'),
    ("enforce", 'ops.validate("c", "t"); op.alter_column("t", "a", nullable=False)'),
    ("enforce", "op.execute(sa.text('ALTER TABLE t VALIDATE CONSTRAINT c'))"),
    ("contract", 'op.drop_constraint("c", "t"); op.drop_column("t", "a"); op.drop_table("t")'),
    ("contract", 'op.create_unique_constraint("c", "t", ["a"])'),
    ("contract", 'op.execute("DROP TRIGGER x ON t; -- INSERT\\n DROP FUNCTION f() /* ADD */")'),
    ("contract", 'op.alter_column("t", "a", nullable=False, type_=sa.Text, new_column_name="b")'),
]  # fmt: skip
BAD = [
    ("expand", 'op.drop_column("t", "a")'),
    ("expand", 'op.drop_table("t")'),
    ("expand", 'op.drop_constraint("c", "t")'),
    ("expand", 'op.rename_table("t", "u")'),
    ("expand", 'op.alter_column("t", "a", new_column_name="b")'),
    ("expand", 'op.alter_column("t", "a", type_=sa.BigInteger)'),
    ("expand", 'op.alter_column("t", "a", nullable=False)'),
    ("expand", 'op.execute("alter table t\\n drop column a")'),
    ("expand", 'op.execute("SELECT 1; UPDATE t SET a = \'x;y\'")'),
    ("expand", "op.bulk_insert(t, [])"),
    ("expand", 'ops.validate("c", "t")'),
    ("backfill", 'op.add_column("t", sa.Column("a", sa.Text))'),
    ("backfill", 'op.execute("UPDATE t SET a = 1")'),
    ("enforce", 'op.create_table("t")'),
    ("enforce", 'ops.add_check("c", "t", "a > 0")'),
    ("enforce", 'op.drop_column("t", "a")'),
    ("enforce", 'op.execute("CREATE INDEX CONCURRENTLY i ON t (a)")'),
    ("contract", 'op.add_column("t", sa.Column("a", sa.Text))'),
    ("contract", 'op.execute("ALTER TABLE t ADD COLUMN a text")'),
    ("contract", 'op.execute("CREATE TABLE t ()")'),
    ("contract", 'op.execute("DELETE FROM t")'),
]  # fmt: skip


def linted(phase: str, body: str, more: str = ""):
    more = FILL if phase == "backfill" else more
    raw = HEAD.format(phase=phase, body=body, more=more).encode()
    return subject(migrations=(("m/0002.py", parse_migration(raw, name="m/0002.py")),))


def ids(phase: str, body: str, more: str = "") -> set[str]:
    return {finding.id for finding in check_migrations(linted(phase, body, more))}


@pytest.mark.parametrize(("phase", "body"), GOOD)
def test_what_a_phase_is_for_is_not_found(phase: str, body: str) -> None:
    assert ids(phase, body) == set()


@pytest.mark.parametrize(("phase", "body"), BAD)
def test_what_contradicts_the_phase_is_found(phase: str, body: str) -> None:
    assert "migration.phase" in ids(phase, body)


def test_a_finding_names_file_line_and_where_it_belongs() -> None:
    (finding,) = check_migrations(linted("expand", 'op.drop_table("t")'))
    assert finding.where == "m/0002.py:12"
    assert "`expand`" in finding.text
    assert "`contract`" in finding.advice


@pytest.mark.parametrize("body", [
    'op.create_index("i", "t", ["a"])',
    'op.execute("CREATE INDEX i ON t (a)")',
    'op.create_foreign_key("f", "t", "u", ["a"], ["b"])',
    'op.execute("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)")',
])  # fmt: skip
def test_a_scan_under_a_lock_is_found(body: str) -> None:
    assert ids("expand", body) == {"migration.lock"}


def test_a_column_that_old_code_cannot_fill_is_found() -> None:
    column = 'op.add_column("t", sa.Column("a", sa.Text, nullable=False))'
    assert ids("expand", column) == {"migration.column"}


def test_statements_beside_an_index_without_a_transaction_are_found() -> None:
    body = 'ops.create_index("i", "t", ["a"]); op.add_column("t", sa.Column("a", sa.Text))'
    assert ids("expand", body, "transactional = False") == {"migration.alone"}
    assert ids("expand", body.partition(";")[0], "transactional = False") == set()


def test_sql_that_is_not_written_out_is_said_to_be_unseen() -> None:
    made = linted("expand", 'op.execute(f"DROP TABLE {revision}")')
    assert list(check_migrations(made)) == []
    assert "m/0002.py:12" in next(unseen_migrations(made))
