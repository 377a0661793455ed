"""Tools, vectors and the generation counter."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "tools",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("definition", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("parameters", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("keywords", sa.Text, nullable=False),
        sa.Column("examples", sa.Text, nullable=False),
        sa.Column("pinned", sa.Boolean, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("risk", sa.String(16), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("folded", sa.Text, nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("text_digest", sa.String(32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("name", name="uq_tools_name"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tools_text_digest", "tools", ["text_digest"])
    op.create_table(
        "vectors",
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("encoder", sa.Text, nullable=False),
        sa.Column("learned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("digest", "encoder", name="pk_vectors"),
    )
    op.create_index("ix_vectors_learned_at_digest_encoder", "vectors", ["learned_at", "digest", "encoder"])
    generation = op.create_table(
        "generation",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("value", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_generation"),
        sa.CheckConstraint("id = 1", name="single_row"),
    )
    op.bulk_insert(generation, [{"id": 1, "value": 0}])
    if op.get_bind().dialect.name == "postgresql":
        _tell_of_generations()


def _tell_of_generations() -> None:
    """Let whoever raises the generation tell those who listen, when it is committed."""
    op.execute(
        "CREATE FUNCTION toolfunnel_tell() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_notify('toolfunnel', ''); RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER toolfunnel_tell AFTER UPDATE ON generation "
        "FOR EACH STATEMENT EXECUTE FUNCTION toolfunnel_tell()"
    )


def downgrade() -> None:
    """Refuse: an older version of Toolfunnel opens its own backup."""
    raise NotImplementedError("the first revision has nothing before it")
