"""Durable work: jobs, the processes that do them, schedules, and the breakers of integrations."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, CheckConstraint, Column, Index, Integer, String, Table, Text, text

from tieout.store.tables.columns import ID, OF_THE_PLATFORM, Instant, metadata, tenant_column

job = Table(
    "job",
    metadata,
    Column("job_id", ID, primary_key=True, comment="sorts by the time of its making"),
    tenant_column(),
    Column("queue", String(64), nullable=False),
    Column("kind", String(128), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("priority", Integer, nullable=False, comment="0 high, 5 normal, 10 low"),
    Column("status", String(12), nullable=False),
    Column("idempotency_key", String(255), comment="unique in its tenant and kind; null where none was given"),
    Column("due_us", Instant, nullable=False, comment="not before"),
    Column("attempts", Integer, nullable=False, comment="begun so far, without those that a lost worker left"),
    Column("max_attempts", Integer, nullable=False),
    Column("losses", Integer, nullable=False, comment="how often its worker was lost"),
    Column("claimed_by", Text, comment="worker slot"),
    Column("batch_id", ID, comment="of the claim: what another claim took is no longer its own"),
    Column("claimed_until_us", Instant, comment="after which it counts as lost"),
    Column("is_cancel_asked", Boolean, nullable=False),
    Column("created_us", Instant, nullable=False),
    Column("created_by", Text),
    Column("request_id", Text),
    Column("trace_parent", Text, comment="W3C trace context of the request that made it"),
    Column("started_us", Instant),
    Column("finished_us", Instant),
    Column("result", JSON(none_as_null=True)),
    Column("last_error", Text),
    CheckConstraint(text("status in ('waiting', 'active', 'done', 'failed', 'canceled')"), name="status"),
    Index(
        "uq_job_tenant_kind_idempotency_key",
        "tenant",
        "kind",
        "idempotency_key",
        unique=True,
        sqlite_where=text("idempotency_key IS NOT NULL"),
        postgresql_where=text("idempotency_key IS NOT NULL"),
    ),
    Index(
        "ix_job_waiting",
        "queue",
        "tenant",
        "priority",
        "due_us",
        "job_id",
        sqlite_where=text("status = 'waiting'"),
        postgresql_where=text("status = 'waiting'"),
    ),
    Index(
        "ix_job_active",
        "queue",
        "tenant",
        "claimed_until_us",
        sqlite_where=text("status = 'active'"),
        postgresql_where=text("status = 'active'"),
    ),
    Index(
        "ix_job_finished",
        "status",
        "finished_us",
        "job_id",
        sqlite_where=text("finished_us IS NOT NULL"),
        postgresql_where=text("finished_us IS NOT NULL"),
    ),
    Index("ix_job_tenant_created_us", "tenant", "created_us", "job_id"),
    comment="Work that was accepted; failed is a dead letter.",
)

queue_start = Table(
    "queue_start",
    metadata,
    Column("queue", String(64), primary_key=True),
    tenant_column(primary_key=True),
    Column("batch_id", ID, primary_key=True),
    Column("at_us", Instant, nullable=False),
    Column("jobs", Integer, nullable=False, comment="begun then"),
    Index("ix_queue_start_queue_at_us", "queue", "at_us"),
    comment="What queues with a limit of rate began lately. Of the platform.",
    info=OF_THE_PLATFORM,
)

worker = Table(
    "worker",
    metadata,
    Column("slot", String(128), primary_key=True, comment="stable name of a worker's place, so that it can resume"),
    Column("process", Text, nullable=False, comment="host and process id"),
    Column("roles", JSON, nullable=False),
    Column("version", Text, nullable=False),
    Column("started_us", Instant, nullable=False),
    Column("heartbeat_us", Instant, nullable=False),
    Column("idle_pct", Integer, comment="of the time of its threads between the last two heartbeats; of workers"),
    Column("stopped_us", Instant),
    comment="Processes of the installation, by their heartbeats. Of the platform.",
)

schedule = Table(
    "schedule",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("cron", String(128), nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("kind", String(128), nullable=False, comment="of the job that it makes"),
    Column("queue", String(64), nullable=False),
    Column("priority", String(8), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("is_enabled", Boolean, nullable=False),
    Column("next_us", Instant, nullable=False),
    Column("last_us", Instant),
    comment="What runs when. Of the platform.",
)

schedule_tick = Table(
    "schedule_tick",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("due_us", Instant, primary_key=True),
    Column("fired_us", Instant, nullable=False),
    Column("lag_ms", BigInteger, nullable=False, comment="fired after due"),
    Column("job_id", ID, comment="null where it was skipped"),
    Column("skipped_because", Text),
    comment="Each time that a schedule was due, and how late it was. Of the platform.",
)

breaker = Table(
    "breaker",
    metadata,
    Column("integration", String(128), primary_key=True),
    Column("state", String(12), nullable=False),
    Column("failures", Integer, nullable=False, comment="in a row"),
    Column("opened_us", Instant),
    Column("half_open_probes", Integer, nullable=False),
    Column("updated_us", Instant, nullable=False),
    CheckConstraint(text("state in ('closed', 'open', 'half_open')"), name="state"),
    comment="Circuit breakers, shared by all workers. Of the platform.",
)
