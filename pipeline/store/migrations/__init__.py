"""Migrations of the database, by Alembic; `pipeline.store.database` runs them."""
