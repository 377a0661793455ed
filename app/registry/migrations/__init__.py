"""Alembic's migrations of the registry. `versions` holds one file a revision, never edited, only followed."""
