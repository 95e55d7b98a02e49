"""The tables of the state database.

Every row belongs to a tenant. Instants are BIGINT microseconds since 1970-01-01 UTC (columns `…_us`), so that
they sort and compare alike in every database; in Python they are datetimes with a zone. No table holds money.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Dialect,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

RUN_STATUSES = ("running", "published", "failed", "superseded")
LOAD_MODES = ("plain", "restate", "add")


class Instant(TypeDecorator[datetime]):
    """A point in time, kept as whole microseconds since the epoch; a datetime without a zone is refused."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError(f"{value!r} has no time zone, so it names no instant")
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else _EPOCH + timedelta(microseconds=value)


# SQLite numbers rows by itself only where the key is spelt INTEGER.
_SEQUENCE = BigInteger().with_variant(Integer(), "sqlite")
_DIGEST = String(64)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _tenant(**options: Any) -> Column[str]:
    return Column("tenant", String(64), nullable=False, **options)


data_folder = Table(
    "data_folder",
    metadata,
    Column("folder_id", String(32), primary_key=True),
    Column("first_used_us", Instant, nullable=False),
    comment="Data folders whose files this database lists; no other folder may be swept by it. Not of one tenant.",
)

artifact = Table(
    "artifact",
    metadata,
    _tenant(primary_key=True),
    Column("artifact_id", _DIGEST, primary_key=True, comment="SHA-256 of the content, hex"),
    Column("byte_count", BigInteger, nullable=False),
    Column("removed_us", Instant, comment="when the sweep removed the file; null while it is kept"),
    Index("ix_artifact_tenant_byte_count", "tenant", "byte_count"),
    comment="Each content that was received, once.",
)

receipt = Table(
    "receipt",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
    _tenant(),
    Column("artifact_id", _DIGEST, nullable=False),
    Column("name", Text, nullable=False, comment="as the sender called it"),
    Column("byte_count", BigInteger, nullable=False),
    Column("received_us", Instant, nullable=False),
    Column("received_by", Text, nullable=False),
    ForeignKeyConstraint(["tenant", "artifact_id"], ["artifact.tenant", "artifact.artifact_id"]),
    Index("ix_receipt_tenant_artifact_id", "tenant", "artifact_id"),
    comment="Each time that a file was received.",
)

run = Table(
    "run",
    metadata,
    _tenant(primary_key=True),
    Column("run_id", _DIGEST, primary_key=True, comment="digest of all that the run depends on, hex"),
    Column("book", Text, nullable=False),
    Column("leg", Text, nullable=False),
    Column("window", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("started_us", Instant, nullable=False),
    Column("finished_us", Instant),
    Column("failure", Text, comment="why it failed; null otherwise"),
    Column("code_version", Text, nullable=False),
    Column("code_digest", _DIGEST, nullable=False),
    Column("config_digest", _DIGEST, nullable=False),
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
    _tenant(primary_key=True),
    Column("run_id", _DIGEST, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("side", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("artifact_id", _DIGEST, nullable=False),
    ForeignKeyConstraint(["tenant", "run_id"], ["run.tenant", "run.run_id"]),
    ForeignKeyConstraint(["tenant", "artifact_id"], ["artifact.tenant", "artifact.artifact_id"]),
    Index("ix_run_input_artifact_id", "artifact_id"),
    comment="The files that a run read, in order.",
)

run_file = Table(
    "run_file",
    metadata,
    _tenant(primary_key=True),
    Column("run_id", _DIGEST, primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("path", Text, nullable=False, comment="relative to the folder of the run"),
    Column("row_count", BigInteger, comment="null for files that are no tables"),
    Column("byte_count", BigInteger, nullable=False),
    Column("sha256", _DIGEST, nullable=False),
    ForeignKeyConstraint(["tenant", "run_id"], ["run.tenant", "run.run_id"]),
    comment="The files that a run published. They never change.",
)

publication = Table(
    "publication",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
    _tenant(),
    Column("book", Text, nullable=False),
    Column("leg", Text, nullable=False),
    Column("window", Text, nullable=False),
    Column("run_id", _DIGEST, nullable=False),
    Column("published_us", Instant, nullable=False),
    Column("superseded_us", Instant),
    ForeignKeyConstraint(["tenant", "run_id"], ["run.tenant", "run.run_id"]),
    Index("ix_publication_tenant_run_id", "tenant", "run_id"),
    Index("ix_publication_tenant_book_leg_window_seq", "tenant", "book", "leg", "window", "seq"),
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

source = Table(
    "source",
    metadata,
    _tenant(primary_key=True),
    Column("name", String(64), primary_key=True, comment="as the user calls it"),
    Column("created_us", Instant, nullable=False),
    comment="Named streams of statements: a bank account, an export of earnings, a ledger.",
)

source_load = Table(
    "source_load",
    metadata,
    _tenant(primary_key=True),
    Column("source", String(64), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False, comment="from 1, in the order of loading"),
    Column("load_id", _DIGEST, nullable=False, comment="names the folder of its files"),
    Column("artifact_id", _DIGEST, nullable=False),
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

review_decision = Table(
    "review_decision",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
    _tenant(),
    Column("book", Text, nullable=False),
    Column("leg", Text, nullable=False),
    Column("ours_content", _DIGEST, nullable=False, comment="digest of what the row of ours says"),
    Column("ours_copy", Integer, nullable=False, comment="from 1, which of the rows that say the same"),
    Column("theirs_content", _DIGEST, nullable=False),
    Column("theirs_copy", Integer, nullable=False),
    Column("ruling", String(8), nullable=False),
    Column("decided_us", Instant, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("run_id", _DIGEST, nullable=False, comment="in which the reviewer saw the pair"),
    Column("ours_row", BigInteger, nullable=False, comment="row number in that run"),
    Column("theirs_row", BigInteger, nullable=False),
    Column("ours_told", Text, nullable=False, comment="what the row says, for people"),
    Column("theirs_told", Text, nullable=False),
    ForeignKeyConstraint(["tenant", "run_id"], ["run.tenant", "run.run_id"]),
    CheckConstraint(text("ruling in ('accepted', 'rejected', 'undone')"), name="ruling"),
    Index("ix_review_decision_tenant_book_leg_seq", "tenant", "book", "leg", "seq"),
    comment="What reviewers decided about pairs of rows. Rows are only added; the latest about a pair counts.",
)
