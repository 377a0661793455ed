"""What each generation changed."""

from __future__ import annotations

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Number the rows by generation; those that are there count as older than any to come."""
    op.add_column("tools", sa.Column("revision", sa.Integer, nullable=False, server_default="0"))
    op.create_index("ix_tools_revision", "tools", ["revision"])
    changes = op.create_table(
        "changes",
        sa.Column("generation", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("removed", sa.Text, nullable=True),
        sa.PrimaryKeyConstraint("generation", name="pk_changes"),
    )
    # The present generation is known from now on; else everything would be read again until the first write.
    generation = sa.table("generation", sa.column("value", sa.Integer))
    now = op.get_bind().execute(sa.select(generation.c.value)).scalar_one()
    if now:
        op.bulk_insert(changes, [{"generation": now, "token": uuid4().hex, "removed": None}])


def downgrade() -> None:
    """Refuse: an older version of Toolfunnel opens its own backup."""
    raise NotImplementedError("an older version cannot read what this one wrote")
