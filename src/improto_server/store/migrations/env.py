"""What Alembic runs to begin: it works on the connection it was given, and in its transaction."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
