"""The tables. The migrations make them; a test holds both equal.

Texts that only Python reads (parameters, tags, keywords, examples) are JSON. Times are UTC.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# By code point, whatever the database's own order is.
NAME = Text().with_variant(Text(collation="C"), "postgresql")

# `id` is the catalogue's order and survives updates; `definition` is the tool object byte for byte. `digest`
# is of the whole record, `text_digest` (router.text.digest) is the key of its vector, `folded` is what `find`
# looks in, `revision` the generation that wrote the row last.
tools = Table(
    "tools",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", NAME, nullable=False, unique=True),
    Column("definition", LargeBinary, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("description", Text, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("keywords", Text, nullable=False),
    Column("examples", Text, nullable=False),
    Column("pinned", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("risk", String(16), nullable=False),
    Column("source", Text, nullable=False),
    Column("folded", Text, nullable=False),
    Column("digest", String(32), nullable=False),
    Column("text_digest", String(32), nullable=False, index=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("revision", Integer, nullable=False, server_default="0", index=True),
    Column("tenant", Text, nullable=False, server_default=""),
    sqlite_autoincrement=True,
)

# `vector` is float32, little endian. The index is what pruning reads instead of the vectors themselves.
vectors = Table(
    "vectors",
    metadata,
    Column("digest", String(32), primary_key=True),
    Column("encoder", Text, primary_key=True),
    Column("learned_at", DateTime(timezone=True), nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Index(None, "learned_at", "digest", "encoder"),
)

# One row: a counter that every transaction raises that changes tools.
generation = Table(
    "generation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", Integer, nullable=False),
    CheckConstraint("id = 1", name="single_row"),
)

# The newest generations. `token` is drawn anew for each: a registry that was put back and went on cannot pass for the
# one that a process knows. `removed` is the name of the tool that a generation took away.
changes = Table(
    "changes",
    metadata,
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("token", String(32), nullable=False),
    Column("removed", Text, nullable=True),
)

# One row: the encoders, as configured and without secrets, that last had embedded every tool.
encoders = Table(
    "encoders",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("specs", Text, nullable=False),
    CheckConstraint("id = 1", name="single_row"),
)

# Callers' keys, as HMACs. The lists are JSON. `used_at` is written once a minute at most; a revoked key stays.
keys = Table(
    "keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("tenants", Text, nullable=False),
    Column("sources", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("risks", Text, nullable=False),
    Column("limits", Text, nullable=False),
    Column("tools_source", Text, nullable=False, server_default=""),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=True),
    Column("revoked_at", DateTime(timezone=True), nullable=True),
    Column("used_at", DateTime(timezone=True), nullable=True),
)

# One row: drawn anew when keys are created or revoked, so that every process sees that they were.
keys_state = Table(
    "keys_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("token", String(32), nullable=False),
    CheckConstraint("id = 1", name="single_row"),
)

# Where tools are imported from. `spec` is what was asked for (JSON, no secrets); `due_at` is when it is asked again.
sources = Table(
    "sources",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("origin", Text, nullable=False),
    Column("spec", Text, nullable=False),
    Column("synced_at", DateTime(timezone=True), nullable=True),
    Column("due_at", DateTime(timezone=True), nullable=True),
    Column("error", Text, nullable=True),
)

# Where each imported tool is from. `digest` is of the definition that was taken last, as the source wrote it; `base` is
# the record made of it; `pending` is what the source says now and nobody has approved (JSON), null where that is the
# same. `binding` is what a caller needs to call it at its source (JSON), empty where that is not known.
provenance = Table(
    "provenance",
    metadata,
    Column("tool", Text, primary_key=True),
    Column("source", Text, nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("origin", Text, nullable=False),
    Column("original", Text, nullable=False),
    Column("imported_at", DateTime(timezone=True), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("base", Text, nullable=False),
    Column("pending", Text, nullable=True),
    Column("binding", Text, nullable=False, server_default=""),
)
