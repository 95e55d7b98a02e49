"""Runs, their inputs and files, and which of them a window points to."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from tieout.store.tables.columns import DIGEST, SEQUENCE, Instant, metadata, tenant_column

RUN_STATUSES = ("running", "published", "failed", "superseded")

run = Table(
    "run",
    metadata,
    tenant_column(primary_key=True),
    Column("run_id", DIGEST, primary_key=True, comment="digest of all that the run depends on, hex"),
    Column("book", Text, nullable=False),
    Column("leg", Text, nullable=False),
    Column("window", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("started_us", Instant, nullable=False),
    Column("finished_us", Instant),
    Column("failure", Text, comment="why it failed; null otherwise"),
    Column("code_version", Text, nullable=False),
    Column("code_digest", DIGEST, nullable=False),
    Column("config_digest", DIGEST, nullable=False),
    Column("config", Text, nullable=False),
    Column("engine_versions", JSON, nullable=False),
    Column("steps", JSON, nullable=False, comment="rows, seconds and digest of each step, in order"),
    Column("summary", JSON(none_as_null=True)),
    Column("files_dropped_us", Instant, comment="when retention dropped its files; null while they are kept"),
    CheckConstraint(text("status in ('running', 'published', 'failed', 'superseded')"), name="status"),
    Index("ix_run_tenant_started_us_run_id", "tenant", "started_us", "run_id"),
    comment="Each run: what went in, what made it, what came out.",
)

run_input = Table(
    "run_input",
    metadata,
    tenant_column(primary_key=True),
    Column("run_id", DIGEST, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("side", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("artifact_id", DIGEST, nullable=False),
    ForeignKeyConstraint(["tenant", "run_id"], ["run.tenant", "run.run_id"]),
    ForeignKeyConstraint(["tenant", "artifact_id"], ["artifact.tenant", "artifact.artifact_id"]),
    Index("ix_run_input_artifact_id", "artifact_id"),
    comment="The files that a run read, in order.",
)

run_file = Table(
    "run_file",
    metadata,
    tenant_column(primary_key=True),
    Column("run_id", DIGEST, primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("path", Text, nullable=False, comment="relative to the folder of the run"),
    Column("row_count", BigInteger, comment="null for files that are no tables"),
    Column("byte_count", BigInteger, nullable=False),
    Column("sha256", DIGEST, nullable=False),
    ForeignKeyConstraint(["tenant", "run_id"], ["run.tenant", "run.run_id"]),
    comment="The files that a run published. They never change.",
)

publication = Table(
    "publication",
    metadata,
    Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    tenant_column(),
    Column("book", Text, nullable=False),
    Column("leg", Text, nullable=False),
    Column("window", Text, nullable=False),
    Column("run_id", DIGEST, nullable=False),
    Column("published_us", Instant, nullable=False),
    Column("superseded_us", Instant),
    ForeignKeyConstraint(["tenant", "run_id"], ["run.tenant", "run.run_id"]),
    Index("ix_publication_tenant_run_id", "tenant", "run_id"),
    Index("ix_publication_tenant_book_leg_window_seq", "tenant", "book", "leg", "window", "seq"),
    Index("ix_publication_tenant_book_leg_seq", "tenant", "book", "leg", "seq"),
    # The database itself refuses two current runs of one window, whatever the processes do.
    Index(
        "uq_publication_current",
        "tenant",
        "book",
        "leg",
        "window",
        unique=True,
        sqlite_where=text("superseded_us IS NULL"),
        postgresql_where=text("superseded_us IS NULL"),
    ),
    comment="Which run a window pointed to, from when until when. Rows are added; only superseded_us is ever set.",
)
