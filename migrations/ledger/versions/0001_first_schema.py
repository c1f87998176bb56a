"""First schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "roots",
        sa.Column("product", sa.String(255), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("product", name="pk_roots"),
    )
    op.create_table(
        "loaded_releases",
        sa.Column("digest", sa.String(255), nullable=False),
        sa.Column("product", sa.String(255), nullable=False),
        sa.Column("channel", sa.String(255), nullable=False),
        sa.Column("version", sa.String(255), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("loaded_at", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_loaded_releases"),
    )
    op.create_table(
        "installed_releases",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(255), nullable=False),
        sa.Column("version", sa.String(255), nullable=False),
        sa.Column("instances", sa.Text(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("point", sa.String(255)),
        sa.Column("at", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_installed_releases"),
    )
    op.create_table(
        "addresses",
        sa.Column("replica", sa.String(255), nullable=False),
        sa.Column("addresses", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("replica", name="pk_addresses"),
    )
    op.create_table(
        "operations",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("verb", sa.String(255), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("direction", sa.String(255), nullable=False),
        sa.Column("state", sa.String(255), nullable=False),
        sa.Column("cause", sa.Text()),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_operations"),
        sa.UniqueConstraint("id", name="uq_operations_id"),
    )
    _make_journal()
    op.create_table(
        "points",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_points"),
        sa.UniqueConstraint("id", name="uq_points_id"),
    )
    op.create_table(
        "site_lock",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("held", sa.Text()),
        sa.PrimaryKeyConstraint("number", name="pk_site_lock"),
    )
    op.create_table(
        "lock_breaks",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("held", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_lock_breaks"),
    )


def _make_journal() -> None:
    op.create_table(
        "journal",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("operation", sa.String(255), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("direction", sa.String(255), nullable=False),
        sa.Column("event", sa.String(255), nullable=False),
        sa.Column("record", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("at", sa.String(255), nullable=False),
        sa.Column("previous", sa.String(255), nullable=False),
        sa.Column("hash", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_journal"),
        sa.ForeignKeyConstraint(["operation"], ["operations.id"], name="fk_journal_operation"),
    )
    op.create_index("ix_journal_operation", "journal", ["operation"])
