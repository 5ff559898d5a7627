"""Alembic runs the migrations here, on the connection and in the transaction it is handed."""

from alembic import context

from config.database import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite changes a column by copying its table.
    render_as_batch=True,
)
context.run_migrations()
