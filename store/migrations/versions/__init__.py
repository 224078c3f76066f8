"""Alembic migrations, applied by store.database.migrate."""
