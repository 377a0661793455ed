"""Where tools are imported from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; tools that are there were registered by hand."""
    op.create_table(
        "sources",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("synced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text, nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_sources"),
    )
    op.create_table(
        "provenance",
        sa.Column("tool", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("original", sa.Text, nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("base", sa.Text, nullable=False),
        sa.Column("pending", sa.Text, nullable=True),
        sa.PrimaryKeyConstraint("tool", name="pk_provenance"),
    )
    op.create_index("ix_provenance_source", "provenance", ["source"])


def downgrade() -> None:
    """Refuse: an older version of Toolfunnel opens its own backup."""
    raise NotImplementedError("an older version cannot read what this one wrote")
