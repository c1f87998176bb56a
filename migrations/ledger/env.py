"""Run by Alembic, with the connection and the transaction that s1ctl opened."""

from alembic import context

from s1ctl.ledger.models import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    render_as_batch=True,
)
context.run_migrations()
