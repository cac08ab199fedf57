"""Alembic migrations, shipped with the distribution."""
