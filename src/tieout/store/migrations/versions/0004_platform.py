# ruff: noqa: INP001 - Alembic loads it by path; as a module of a package it must not be importable
"""Tenants, access, the audit trail, the outbox and durable work; each tenant's rows apart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tieout.store.guards import keep_tenants_apart, only_add

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

APART = (
    "artifact",
    "receipt",
    "run",
    "run_input",
    "run_file",
    "publication",
    "source",
    "source_load",
    "review_decision",
    "api_keys",
    "audit_events",
    "audit_heads",
    "event_outbox",
    "job",
    "roles",
    "tenant",
    "tenant_business_profile",
    "tenant_feature_flags",
    "tenant_flags",
    "tenant_modules",
    "users",
    "webhook_endpoint",
    "event_delivery",
    "user_refresh_tokens",
    "user_roles",
)


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "api_keys",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "key_hash", sa.String(length=64), nullable=False, comment="SHA-256 of the key, which is 256 random bits"
        ),
        sa.Column("permissions", sa.JSON(), nullable=False, comment="what the key may do, as in a role"),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=True),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True),
        sa.Column("last_used_us", sa.BigInteger(), nullable=True, comment="to the minute"),
        sa.Column("replaced_by", sa.String(length=36), nullable=True, comment="the key that a rotation made"),
        sa.PrimaryKeyConstraint("tenant", "key_id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
        comment="Keys of programs. The key itself is shown once and not kept.",
    )
    op.create_table(
        "audit_events",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="from 1 in each tenant, without a gap"),
        sa.Column("user_id", sa.String(length=36), nullable=True, comment="null where no user acted"),
        sa.Column(
            "actor", sa.Text(), nullable=False, comment="user:…, key:…, system:… or the account on the command line"
        ),
        sa.Column("module", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=128), nullable=False),
        sa.Column("entity_type", sa.String(length=64), nullable=False),
        sa.Column("entity_id", sa.Text(), nullable=False),
        sa.Column("delta", sa.JSON(), nullable=False, comment="what was before and what is after"),
        sa.Column("ip_address", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False, comment="microseconds since 1970-01-01 UTC"),
        sa.Column(
            "prev_hash",
            sa.String(length=64),
            nullable=False,
            comment="hash of the event before it; 64 zeros for the first",
        ),
        sa.Column(
            "hash", sa.String(length=64), nullable=False, comment="SHA-256 of the event and prev_hash in canonical JSON"
        ),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_audit_events")),
        sa.UniqueConstraint("tenant", "seq", name=op.f("uq_audit_events_tenant_seq")),
        comment="What was done. Rows are only added; triggers refuse anything else.",
    )
    op.create_index(
        "ix_audit_events_module_action_created_at", "audit_events", ["module", "action", "created_at"], unique=False
    )
    op.create_index("ix_audit_events_tenant_created_at", "audit_events", ["tenant", "created_at", "seq"], unique=False)
    op.create_table(
        "audit_heads",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_audit_heads")),
        comment="The end of each tenant's chain; the row that writers lock.",
    )
    op.create_table(
        "breaker",
        sa.Column("integration", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False, comment="in a row"),
        sa.Column("opened_us", sa.BigInteger(), nullable=True),
        sa.Column("half_open_probes", sa.Integer(), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state in ('closed', 'open', 'half_open')", name=op.f("ck_breaker_state")),
        sa.PrimaryKeyConstraint("integration", name=op.f("pk_breaker")),
        comment="Circuit breakers, shared by all workers. Of the platform.",
    )
    op.create_table(
        "event_outbox",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False, comment="of the event, in every delivery of it"),
        sa.Column("event_type", sa.String(length=128), nullable=False, comment="such as pos.ticket.settled"),
        sa.Column("entity_id", sa.Text(), nullable=False, comment="events of one entity are delivered in order"),
        sa.Column("version", sa.BigInteger(), nullable=False, comment="from 1 for each entity"),
        sa.Column("payload", sa.JSON(), nullable=False, comment="a CloudEvent"),
        sa.Column("occurred_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_event_outbox")),
        sa.UniqueConstraint("id", name=op.f("uq_event_outbox_id")),
        sa.UniqueConstraint("tenant", "entity_id", "version", name=op.f("uq_event_outbox_tenant_entity_id_version")),
        comment="Events, written in the transaction of the change that they tell of.",
    )
    op.create_index("ix_event_outbox_tenant_seq", "event_outbox", ["tenant", "seq"], unique=False)
    op.create_table(
        "job",
        sa.Column("job_id", sa.String(length=36), nullable=False, comment="sorts by the time of its making"),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("queue", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=128), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False, comment="0 high, 5 normal, 10 low"),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column(
            "idempotency_key",
            sa.String(length=255),
            nullable=True,
            comment="unique in its tenant and kind; null where none was given",
        ),
        sa.Column("due_us", sa.BigInteger(), nullable=False, comment="not before"),
        sa.Column(
            "attempts", sa.Integer(), nullable=False, comment="begun so far, without those that a lost worker left"
        ),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False, comment="how often its worker was lost"),
        sa.Column("claimed_by", sa.Text(), nullable=True, comment="worker slot"),
        sa.Column(
            "batch_id",
            sa.String(length=36),
            nullable=True,
            comment="of the claim: what another claim took is no longer its own",
        ),
        sa.Column("claimed_until_us", sa.BigInteger(), nullable=True, comment="after which it counts as lost"),
        sa.Column("is_cancel_asked", sa.Boolean(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("trace_parent", sa.Text(), nullable=True, comment="W3C trace context of the request that made it"),
        sa.Column("started_us", sa.BigInteger(), nullable=True),
        sa.Column("finished_us", sa.BigInteger(), nullable=True),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.CheckConstraint("status in ('waiting', 'active', 'done', 'failed', 'canceled')", name=op.f("ck_job_status")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job")),
        comment="Work that was accepted; failed is a dead letter.",
    )
    op.create_index(
        "ix_job_active",
        "job",
        ["queue", "tenant", "claimed_until_us"],
        unique=False,
        sqlite_where=sa.text("status = 'active'"),
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_index(
        "ix_job_finished",
        "job",
        ["status", "finished_us", "job_id"],
        unique=False,
        sqlite_where=sa.text("finished_us IS NOT NULL"),
        postgresql_where=sa.text("finished_us IS NOT NULL"),
    )
    op.create_index("ix_job_tenant_created_us", "job", ["tenant", "created_us", "job_id"], unique=False)
    op.create_index(
        "ix_job_waiting",
        "job",
        ["queue", "tenant", "priority", "due_us", "job_id"],
        unique=False,
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    )
    op.create_index(
        "uq_job_tenant_kind_idempotency_key",
        "job",
        ["tenant", "kind", "idempotency_key"],
        unique=True,
        sqlite_where=sa.text("idempotency_key IS NOT NULL"),
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )
    op.create_table(
        "platform_flags",
        sa.Column("flag_key", sa.String(length=128), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("updated_by", sa.Text(), nullable=True),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("flag_key", name=op.f("pk_platform_flags")),
        comment="Flags set for all tenants. Of the platform.",
    )
    op.create_table(
        "platform_secrets",
        sa.Column("purpose", sa.String(length=32), nullable=False, comment="such as access_token"),
        sa.Column("secret_id", sa.String(length=32), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False, comment="encrypted with the key of the installation"),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("retired_us", sa.BigInteger(), nullable=True, comment="from when on it only verifies"),
        sa.PrimaryKeyConstraint("purpose", "secret_id", name=op.f("pk_platform_secrets")),
        comment="Secrets that all processes of an installation share. Of the platform.",
    )
    op.create_table(
        "queue_start",
        sa.Column("queue", sa.String(length=64), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("batch_id", sa.String(length=36), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("jobs", sa.Integer(), nullable=False, comment="begun then"),
        sa.PrimaryKeyConstraint("queue", "tenant", "batch_id", name=op.f("pk_queue_start")),
        comment="What queues with a limit of rate began lately. Of the platform.",
        info={"of": "platform"},
    )
    op.create_index("ix_queue_start_queue_at_us", "queue_start", ["queue", "at_us"], unique=False)
    op.create_table(
        "roles",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("role_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("permissions", sa.JSON(), nullable=False, comment="patterns such as pos.* or !superadmin.*"),
        sa.Column("is_system", sa.Boolean(), nullable=False, comment="made by the platform; cannot be changed"),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "role_id", name=op.f("pk_roles")),
        sa.UniqueConstraint("tenant", "name", name=op.f("uq_roles_tenant_name")),
        comment="Named sets of permissions.",
    )
    op.create_table(
        "schedule",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("cron", sa.String(length=128), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=128), nullable=False, comment="of the job that it makes"),
        sa.Column("queue", sa.String(length=64), nullable=False),
        sa.Column("priority", sa.String(length=8), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("next_us", sa.BigInteger(), nullable=False),
        sa.Column("last_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_schedule")),
        comment="What runs when. Of the platform.",
    )
    op.create_table(
        "schedule_tick",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("fired_us", sa.BigInteger(), nullable=False),
        sa.Column("lag_ms", sa.BigInteger(), nullable=False, comment="fired after due"),
        sa.Column("job_id", sa.String(length=36), nullable=True, comment="null where it was skipped"),
        sa.Column("skipped_because", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", "due_us", name=op.f("pk_schedule_tick")),
        comment="Each time that a schedule was due, and how late it was. Of the platform.",
    )
    op.create_table(
        "tenant",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("alias", sa.String(length=32), nullable=False, comment="short name for addresses and sign-in"),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column(
            "time_zone", sa.String(length=64), nullable=False, comment="IANA name; business days are days of this zone"
        ),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status in ('trial', 'active', 'suspended', 'closed')", name=op.f("ck_tenant_status")),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_tenant")),
        sa.UniqueConstraint("alias", name=op.f("uq_tenant_alias")),
        comment="Each customer whose data is kept apart.",
    )
    op.create_table(
        "tenant_business_profile",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("legal_name", sa.Text(), nullable=False),
        sa.Column("doing_business_as", sa.Text(), nullable=False),
        sa.Column("contact_email", sa.Text(), nullable=False),
        sa.Column("contact_phone", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_tenant_business_profile")),
        comment="Who a tenant is as a business.",
    )
    op.create_table(
        "tenant_feature_flags",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("module_id", sa.String(length=64), nullable=False),
        sa.Column("feature_key", sa.String(length=128), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("overridden", sa.Boolean(), nullable=False, comment="set by hand, so that a plan leaves it alone"),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "module_id", "feature_key", name=op.f("pk_tenant_feature_flags")),
        comment="Features of modules that a tenant has by its plan or by hand.",
    )
    op.create_table(
        "tenant_flags",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("flag_key", sa.String(length=128), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column(
            "expires_us", sa.BigInteger(), nullable=True, comment="from when on it counts no more; null for never"
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("updated_by", sa.Text(), nullable=True),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "flag_key", name=op.f("pk_tenant_flags")),
        comment="Flags set for one tenant.",
    )
    op.create_table(
        "tenant_modules",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("module_id", sa.String(length=64), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column(
            "source",
            sa.String(length=16),
            nullable=False,
            comment="plan, or superadmin: an override that a plan leaves alone",
        ),
        sa.Column("updated_by", sa.Text(), nullable=True),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "module_id", name=op.f("pk_tenant_modules")),
        comment="Which modules a tenant has, and who said so.",
    )
    op.create_table(
        "tenant_registration",
        sa.Column("registration_id", sa.String(length=36), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("business", sa.JSON(), nullable=False, comment="as the applicant wrote it"),
        sa.Column("owner", sa.JSON(), nullable=False, comment="name and e-mail of the owner; never the password"),
        sa.Column("owner_password_hash", sa.Text(), nullable=True, comment="Argon2; cleared with the decision"),
        sa.Column(
            "modules", sa.JSON(), nullable=False, comment="key, name, category, enabled of each module asked for"
        ),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("decided_us", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("tenant", sa.String(length=64), nullable=True, comment="that it became; null until it is approved"),
        sa.CheckConstraint("status in ('pending', 'approved', 'rejected')", name=op.f("ck_tenant_registration_status")),
        sa.PrimaryKeyConstraint("registration_id", name=op.f("pk_tenant_registration")),
        comment="Applications to become a tenant. Of the platform: only its administrators see them.",
        info={"of": "platform"},
    )
    op.create_index(
        "ix_tenant_registration_status_created_us",
        "tenant_registration",
        ["status", "created_us", "registration_id"],
        unique=False,
    )
    op.create_table(
        "users",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False, comment="lower case"),
        sa.Column("first_name", sa.Text(), nullable=False),
        sa.Column("last_name", sa.Text(), nullable=False),
        sa.Column(
            "password_hash", sa.Text(), nullable=True, comment="Argon2id; null where the user signs in otherwise"
        ),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("failed_logins", sa.Integer(), nullable=False, comment="in a row, since the last success"),
        sa.Column("locked_until_us", sa.BigInteger(), nullable=True),
        sa.Column("last_login_us", sa.BigInteger(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status in ('active', 'disabled')", name=op.f("ck_users_status")),
        sa.PrimaryKeyConstraint("tenant", "user_id", name=op.f("pk_users")),
        sa.UniqueConstraint("tenant", "email", name=op.f("uq_users_tenant_email")),
        comment="People who sign in. The same address may be a user of several tenants.",
    )
    op.create_index("ix_users_email", "users", ["email"], unique=False)
    op.create_table(
        "webhook_endpoint",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("endpoint_id", sa.String(length=36), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("event_types", sa.JSON(), nullable=False, comment="patterns such as pos.*"),
        sa.Column("signing", sa.String(length=8), nullable=False),
        sa.Column(
            "secrets", sa.JSON(), nullable=False, comment="sealed, newest first; each with its id and when it ends"
        ),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column(
            "failing_since_us", sa.BigInteger(), nullable=True, comment="of the first failure since the last success"
        ),
        sa.Column(
            "failures",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="in a row, since the last success",
        ),
        sa.Column("rest_until_us", sa.BigInteger(), nullable=True, comment="it did not answer: nothing is sent before"),
        sa.Column("served_us", sa.BigInteger(), nullable=True, comment="when it last had its turn"),
        sa.Column(
            "claimed_by",
            sa.Text(),
            nullable=True,
            comment="the batch that is being delivered; one at a time keeps the order",
        ),
        sa.Column("claimed_until_us", sa.BigInteger(), nullable=True, comment="after which the batch counts as lost"),
        sa.Column("deleted_us", sa.BigInteger(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.CheckConstraint("signing in ('hmac', 'ed25519')", name=op.f("ck_webhook_endpoint_signing")),
        sa.PrimaryKeyConstraint("tenant", "endpoint_id", name=op.f("pk_webhook_endpoint")),
        comment="Where a tenant wants its events delivered.",
    )
    op.create_table(
        "worker",
        sa.Column(
            "slot",
            sa.String(length=128),
            nullable=False,
            comment="stable name of a worker's place, so that it can resume",
        ),
        sa.Column("process", sa.Text(), nullable=False, comment="host and process id"),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("started_us", sa.BigInteger(), nullable=False),
        sa.Column("heartbeat_us", sa.BigInteger(), nullable=False),
        sa.Column(
            "idle_pct",
            sa.Integer(),
            nullable=True,
            comment="of the time of its threads between the last two heartbeats; of workers",
        ),
        sa.Column("stopped_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("slot", name=op.f("pk_worker")),
        comment="Processes of the installation, by their heartbeats. Of the platform.",
    )
    op.create_table(
        "event_delivery",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("delivery_id", sa.String(length=36), nullable=False),
        sa.Column("event_seq", sa.BigInteger(), nullable=False),
        sa.Column("endpoint_id", sa.String(length=36), nullable=False),
        sa.Column("entity_id", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("next_attempt_us", sa.BigInteger(), nullable=False),
        sa.Column("last_attempt_us", sa.BigInteger(), nullable=True),
        sa.Column("delivered_us", sa.BigInteger(), nullable=True),
        sa.Column("last_status_code", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status in ('pending', 'dispatched', 'failed', 'canceled')", name=op.f("ck_event_delivery_status")
        ),
        sa.ForeignKeyConstraint(
            ["tenant", "endpoint_id"],
            ["webhook_endpoint.tenant", "webhook_endpoint.endpoint_id"],
            name=op.f("fk_event_delivery_webhook_endpoint"),
        ),
        sa.PrimaryKeyConstraint("tenant", "delivery_id", name=op.f("pk_event_delivery")),
        sa.UniqueConstraint("event_seq", "endpoint_id", name=op.f("uq_event_delivery_event_seq_endpoint_id")),
        comment="Each event for each endpoint that wants it; failed is a dead letter.",
    )
    op.create_index(
        "ix_event_delivery_tenant_event_seq", "event_delivery", ["tenant", "event_seq", "endpoint_id"], unique=False
    )
    op.create_index(
        "ix_event_delivery_due",
        "event_delivery",
        ["tenant", "endpoint_id", "next_attempt_us"],
        unique=False,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "ix_event_delivery_open",
        "event_delivery",
        ["tenant", "endpoint_id", "event_seq"],
        unique=False,
        sqlite_where=sa.text("status in ('pending', 'failed')"),
        postgresql_where=sa.text("status in ('pending', 'failed')"),
    )
    op.create_index(
        "ix_event_delivery_order",
        "event_delivery",
        ["tenant", "endpoint_id", "entity_id", "event_seq"],
        unique=False,
        sqlite_where=sa.text("status in ('pending', 'failed')"),
        postgresql_where=sa.text("status in ('pending', 'failed')"),
    )
    op.create_index(
        "ix_event_delivery_failed",
        "event_delivery",
        ["tenant", "event_seq"],
        unique=False,
        sqlite_where=sa.text("status = 'failed'"),
        postgresql_where=sa.text("status = 'failed'"),
    )
    op.create_table(
        "user_refresh_tokens",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("token_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("family_id", sa.String(length=36), nullable=False, comment="the sign-in that it descends from"),
        sa.Column(
            "token_hash", sa.String(length=64), nullable=False, comment="SHA-256 of the token, which is 256 random bits"
        ),
        sa.Column("issued_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column(
            "used_us", sa.BigInteger(), nullable=True, comment="when it was exchanged; a second use ends the family"
        ),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant", "user_id"], ["users.tenant", "users.user_id"], name=op.f("fk_user_refresh_tokens_users")
        ),
        sa.PrimaryKeyConstraint("tenant", "token_id", name=op.f("pk_user_refresh_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_user_refresh_tokens_token_hash")),
        comment="Refresh tokens, each good for one exchange.",
    )
    op.create_index("ix_user_refresh_tokens_expires_us", "user_refresh_tokens", ["expires_us"], unique=False)
    op.create_index(
        "ix_user_refresh_tokens_tenant_family_id", "user_refresh_tokens", ["tenant", "family_id"], unique=False
    )
    op.create_table(
        "user_roles",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("role_id", sa.String(length=36), nullable=False),
        sa.Column("assigned_us", sa.BigInteger(), nullable=False),
        sa.Column("assigned_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant", "role_id"], ["roles.tenant", "roles.role_id"], name=op.f("fk_user_roles_roles")
        ),
        sa.ForeignKeyConstraint(
            ["tenant", "user_id"], ["users.tenant", "users.user_id"], name=op.f("fk_user_roles_users")
        ),
        sa.PrimaryKeyConstraint("tenant", "user_id", "role_id", name=op.f("pk_user_roles")),
        comment="Which user has which role.",
    )
    for table in APART:
        keep_tenants_apart(op.get_bind(), table)
    only_add(op.get_bind(), "audit_events")
