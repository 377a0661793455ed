"""Tenants of tools, and callers' keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tools that are there belong to no tenant."""
    op.add_column("tools", sa.Column("tenant", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "keys",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("tenants", sa.Text, nullable=False),
        sa.Column("sources", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("risks", sa.Text, nullable=False),
        sa.Column("limits", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
    )
    state = op.create_table(
        "keys_state",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("token", sa.String(32), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_keys_state_single_row"),
        sa.PrimaryKeyConstraint("id", name="pk_keys_state"),
    )
    op.bulk_insert(state, [{"id": 1, "token": ""}])


def downgrade() -> None:
    """Refuse: an older version of Toolfunnel opens its own backup."""
    raise NotImplementedError("an older version cannot read what this one wrote")
