"""What a caller needs to call an imported tool at its source."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tools that were imported before get theirs when their source is synchronised."""
    op.add_column("provenance", sa.Column("binding", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    """Forget them: the version before does not know them, and reads everything else."""
    op.drop_column("provenance", "binding")
