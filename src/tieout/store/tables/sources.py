"""Named streams of statements and the files loaded into them."""

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

from tieout.store.tables.columns import DIGEST, Instant, metadata, tenant_column

LOAD_MODES = ("plain", "restate", "add")

source = Table(
    "source",
    metadata,
    tenant_column(primary_key=True),
    Column("name", String(64), primary_key=True, comment="as the user calls it"),
    Column("created_us", Instant, nullable=False),
    comment="Named streams of statements: a bank account, an export of earnings, a ledger.",
)

source_load = Table(
    "source_load",
    metadata,
    tenant_column(primary_key=True),
    Column("source", String(64), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False, comment="from 1, in the order of loading"),
    Column("load_id", DIGEST, nullable=False, comment="names the folder of its files"),
    Column("artifact_id", DIGEST, nullable=False),
    Column("name", Text, nullable=False, comment="of the file, as it was received"),
    Column("sheet", Text, nullable=False, comment="of a workbook, as the user named it; else empty"),
    Column("records", Text, nullable=False, comment="of a JSON file: where they are, as the user said; else empty"),
    Column("mode", String(8), nullable=False, comment="what the user said of earlier rows that the file lacks"),
    Column("loaded_us", Instant, nullable=False),
    Column("loaded_by", Text, nullable=False),
    Column("undone_us", Instant, comment="when it was taken back; null while it counts"),
    Column("undone_by", Text),
    Column("columns", JSON, nullable=False, comment="of the file, in its order, spelt as the source spells them"),
    Column("key_columns", JSON, nullable=False, comment="that identify a row; none where its whole content does"),
    Column("date_column", Text, comment="null where no row has a day"),
    Column("date_format", Text, comment="how its days are written: ISO, DMY, MDY, YMD or a pattern"),
    Column("row_count", BigInteger, nullable=False, comment="rows of the file, without those in quarantine"),
    Column("added_count", BigInteger, nullable=False, comment="of them, those that were not current before"),
    Column("superseded_count", BigInteger, nullable=False, comment="earlier rows that stopped being current"),
    Column("quarantined_count", BigInteger, nullable=False),
    Column("undated_count", BigInteger, nullable=False, comment="rows without a day"),
    Column("first_day", String(10), comment="ISO; the file covers the days from here to last_day"),
    Column("last_day", String(10)),
    Column("superseded", JSON, nullable=False, comment="whose rows it superseded: load, rows, first_day, last_day"),
    Column("files", JSON, nullable=False, comment="name, rows, bytes and digest of each file of the load"),
    ForeignKeyConstraint(["tenant", "source"], ["source.tenant", "source.name"]),
    ForeignKeyConstraint(["tenant", "artifact_id"], ["artifact.tenant", "artifact.artifact_id"]),
    CheckConstraint(text("mode in ('plain', 'restate', 'add')"), name="mode"),
    Index("ix_source_load_load_id", "load_id"),
    Index("ix_source_load_artifact_id", "artifact_id"),
    comment="Files that were loaded into a source. Rows are added; only undone_us and undone_by are ever set.",
)
