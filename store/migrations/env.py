"""Alembic's entry: migrates on the connection that Store.migrate has opened."""

from alembic import context
from sqlmodel import SQLModel

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    transactional_ddl=True,  # SQLite too: a migration is done as a whole or not at all
)
context.run_migrations()
