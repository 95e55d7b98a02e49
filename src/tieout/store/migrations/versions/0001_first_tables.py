# ruff: noqa: INP001 - Alembic loads it by path; as a module of a package it must not be importable
"""The first tables: data folders, artifacts, receipts, runs, their files, and what windows point to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_INSTANT = sa.BigInteger()
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_DIGEST = sa.String(64)
_TENANT = sa.String(64)


def upgrade() -> None:
    """Bring the schema to this revision."""
    _create_received_files()
    _create_runs()
    _create_publications()


def _create_received_files() -> None:
    op.create_table(
        "data_folder",
        sa.Column("folder_id", sa.String(32), nullable=False),
        sa.Column("first_used_us", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("folder_id", name="pk_data_folder"),
        comment="Data folders whose files this database lists; no other folder may be swept by it. Not of one tenant.",
    )
    op.create_table(
        "artifact",
        sa.Column("tenant", _TENANT, nullable=False),
        sa.Column("artifact_id", _DIGEST, nullable=False, comment="SHA-256 of the content, hex"),
        sa.Column("byte_count", sa.BigInteger(), nullable=False),
        sa.Column("removed_us", _INSTANT, comment="when the sweep removed the file; null while it is kept"),
        sa.PrimaryKeyConstraint("tenant", "artifact_id", name="pk_artifact"),
        comment="Each content that was received, once.",
    )
    op.create_index("ix_artifact_tenant_byte_count", "artifact", ["tenant", "byte_count"])
    op.create_table(
        "receipt",
        sa.Column("seq", _SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("tenant", _TENANT, nullable=False),
        sa.Column("artifact_id", _DIGEST, nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="as the sender called it"),
        sa.Column("byte_count", sa.BigInteger(), nullable=False),
        sa.Column("received_us", _INSTANT, nullable=False),
        sa.Column("received_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_receipt"),
        sa.ForeignKeyConstraint(
            ["tenant", "artifact_id"], ["artifact.tenant", "artifact.artifact_id"], name="fk_receipt_artifact"
        ),
        comment="Each time that a file was received.",
    )
    op.create_index("ix_receipt_tenant_artifact_id", "receipt", ["tenant", "artifact_id"])


def _create_runs() -> None:
    op.create_table(
        "run",
        sa.Column("tenant", _TENANT, nullable=False),
        sa.Column("run_id", _DIGEST, nullable=False, comment="digest of all that the run depends on, hex"),
        sa.Column("book", sa.Text(), nullable=False),
        sa.Column("leg", sa.Text(), nullable=False),
        sa.Column("window", sa.Text(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("started_us", _INSTANT, nullable=False),
        sa.Column("finished_us", _INSTANT),
        sa.Column("failure", sa.Text(), comment="why it failed; null otherwise"),
        sa.Column("code_version", sa.Text(), nullable=False),
        sa.Column("code_digest", _DIGEST, nullable=False),
        sa.Column("config_digest", _DIGEST, nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("engine_versions", sa.JSON(), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False, comment="rows, seconds and digest of each step, in order"),
        sa.Column("summary", sa.JSON()),
        sa.Column("files_dropped_us", _INSTANT, comment="when retention dropped its files; null while they are kept"),
        sa.PrimaryKeyConstraint("tenant", "run_id", name="pk_run"),
        sa.CheckConstraint("status in ('running', 'published', 'failed', 'superseded')", name=op.f("ck_run_status")),
        comment="Each run: what went in, what made it, what came out.",
    )
    op.create_index("ix_run_tenant_started_us_run_id", "run", ["tenant", "started_us", "run_id"])
    op.create_table(
        "run_input",
        sa.Column("tenant", _TENANT, nullable=False),
        sa.Column("run_id", _DIGEST, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("artifact_id", _DIGEST, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "run_id", "position", name="pk_run_input"),
        sa.ForeignKeyConstraint(["tenant", "run_id"], ["run.tenant", "run.run_id"], name="fk_run_input_run"),
        sa.ForeignKeyConstraint(
            ["tenant", "artifact_id"], ["artifact.tenant", "artifact.artifact_id"], name="fk_run_input_artifact"
        ),
        comment="The files that a run read, in order.",
    )
    op.create_index("ix_run_input_artifact_id", "run_input", ["artifact_id"])
    op.create_table(
        "run_file",
        sa.Column("tenant", _TENANT, nullable=False),
        sa.Column("run_id", _DIGEST, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("path", sa.Text(), nullable=False, comment="relative to the folder of the run"),
        sa.Column("row_count", sa.BigInteger(), comment="null for files that are no tables"),
        sa.Column("byte_count", sa.BigInteger(), nullable=False),
        sa.Column("sha256", _DIGEST, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "run_id", "name", name="pk_run_file"),
        sa.ForeignKeyConstraint(["tenant", "run_id"], ["run.tenant", "run.run_id"], name="fk_run_file_run"),
        comment="The files that a run published. They never change.",
    )


def _create_publications() -> None:
    window = ["tenant", "book", "leg", "window"]
    op.create_table(
        "publication",
        sa.Column("seq", _SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("tenant", _TENANT, nullable=False),
        sa.Column("book", sa.Text(), nullable=False),
        sa.Column("leg", sa.Text(), nullable=False),
        sa.Column("window", sa.Text(), nullable=False),
        sa.Column("run_id", _DIGEST, nullable=False),
        sa.Column("published_us", _INSTANT, nullable=False),
        sa.Column("superseded_us", _INSTANT),
        sa.PrimaryKeyConstraint("seq", name="pk_publication"),
        sa.ForeignKeyConstraint(["tenant", "run_id"], ["run.tenant", "run.run_id"], name="fk_publication_run"),
        comment="Which run a window pointed to, from when until when. Rows are added; only superseded_us is ever set.",
    )
    op.create_index("ix_publication_tenant_book_leg_window_seq", "publication", [*window, "seq"])
    op.create_index("ix_publication_tenant_run_id", "publication", ["tenant", "run_id"])
    op.create_index(
        "uq_publication_current",
        "publication",
        window,
        unique=True,
        sqlite_where=sa.text("superseded_us IS NULL"),
        postgresql_where=sa.text("superseded_us IS NULL"),
    )
