# ruff: noqa: INP001 - Alembic loads it by path; as a module of a package it must not be importable
"""Sources: named streams of statements, and the files that were loaded into them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_INSTANT = sa.BigInteger()
_DIGEST = sa.String(64)
_TENANT = sa.String(64)
_SOURCE = sa.String(64)


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "source",
        sa.Column("tenant", _TENANT, nullable=False),
        sa.Column("name", _SOURCE, nullable=False, comment="as the user calls it"),
        sa.Column("created_us", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", name="pk_source"),
        comment="Named streams of statements: a bank account, an export of earnings, a ledger.",
    )
    op.create_table(
        "source_load",
        *_load_identity(),
        *_load_reading(),
        *_load_counts(),
        sa.PrimaryKeyConstraint("tenant", "source", "seq", name="pk_source_load"),
        sa.ForeignKeyConstraint(["tenant", "source"], ["source.tenant", "source.name"], name="fk_source_load_source"),
        sa.ForeignKeyConstraint(
            ["tenant", "artifact_id"], ["artifact.tenant", "artifact.artifact_id"], name="fk_source_load_artifact"
        ),
        sa.CheckConstraint("mode in ('plain', 'restate', 'add')", name=op.f("ck_source_load_mode")),
        comment="Files that were loaded into a source. Rows are added; only undone_us and undone_by are ever set.",
    )
    op.create_index("ix_source_load_artifact_id", "source_load", ["artifact_id"])
    op.create_index("ix_source_load_load_id", "source_load", ["load_id"])


def _load_identity() -> list[sa.Column[object]]:
    return [
        sa.Column("tenant", _TENANT, nullable=False),
        sa.Column("source", _SOURCE, nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False, comment="from 1, in the order of loading"),
        sa.Column("load_id", _DIGEST, nullable=False, comment="names the folder of its files"),
        sa.Column("artifact_id", _DIGEST, nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="of the file, as it was received"),
        sa.Column("sheet", sa.Text(), nullable=False, comment="of a workbook, as the user named it; else empty"),
        sa.Column(
            "records",
            sa.Text(),
            nullable=False,
            comment="of a JSON file: where they are, as the user said; else empty",
        ),
        sa.Column(
            "mode", sa.String(8), nullable=False, comment="what the user said of earlier rows that the file lacks"
        ),
        sa.Column("loaded_us", _INSTANT, nullable=False),
        sa.Column("loaded_by", sa.Text(), nullable=False),
        sa.Column("undone_us", _INSTANT, comment="when it was taken back; null while it counts"),
        sa.Column("undone_by", sa.Text()),
    ]


def _load_reading() -> list[sa.Column[object]]:
    return [
        sa.Column(
            "columns", sa.JSON(), nullable=False, comment="of the file, in its order, spelt as the source spells them"
        ),
        sa.Column(
            "key_columns", sa.JSON(), nullable=False, comment="that identify a row; none where its whole content does"
        ),
        sa.Column("date_column", sa.Text(), comment="null where no row has a day"),
        sa.Column("date_format", sa.Text(), comment="how its days are written: ISO, DMY, MDY, YMD or a pattern"),
    ]


def _load_counts() -> list[sa.Column[object]]:
    return [
        sa.Column(
            "row_count", sa.BigInteger(), nullable=False, comment="rows of the file, without those in quarantine"
        ),
        sa.Column(
            "added_count", sa.BigInteger(), nullable=False, comment="of them, those that were not current before"
        ),
        sa.Column(
            "superseded_count", sa.BigInteger(), nullable=False, comment="earlier rows that stopped being current"
        ),
        sa.Column("quarantined_count", sa.BigInteger(), nullable=False),
        sa.Column("undated_count", sa.BigInteger(), nullable=False, comment="rows without a day"),
        sa.Column("first_day", sa.String(10), comment="ISO; the file covers the days from here to last_day"),
        sa.Column("last_day", sa.String(10)),
        sa.Column(
            "superseded",
            sa.JSON(),
            nullable=False,
            comment="whose rows it superseded: load, rows, first_day, last_day",
        ),
        sa.Column("files", sa.JSON(), nullable=False, comment="name, rows, bytes and digest of each file of the load"),
    ]
