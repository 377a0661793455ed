"""Which encoders are in force."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; it stays empty until encoders have embedded every tool."""
    op.create_table(
        "encoders",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("specs", sa.Text, nullable=False),
        sa.CheckConstraint("id = 1", name="ck_encoders_single_row"),
        sa.PrimaryKeyConstraint("id", name="pk_encoders"),
    )


def downgrade() -> None:
    """Refuse: an older version of Toolfunnel opens its own backup."""
    raise NotImplementedError("an older version cannot read what this one wrote")
