"""Whose tools the requests of a caller's key get."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keys that are there get what `tools.source` says."""
    op.add_column("keys", sa.Column("tools_source", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    """Refuse: a key that was narrowed would be narrowed no more."""
    raise NotImplementedError("an older version cannot read what this one wrote")
