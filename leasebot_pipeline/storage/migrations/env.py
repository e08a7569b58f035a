"""Alembic environment: always runs on the connection handed over by ``storage.migrate``."""

from alembic import context

from leasebot_pipeline.storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
