"""The tables of the state database, one module a noun.

Every row belongs to a tenant unless its table says that it is of the platform. Instants are BIGINT microseconds since
1970-01-01 UTC (columns `…_us`), so that they sort and compare alike in every database; in Python they are datetimes
with a zone. Money is BIGINT micros (columns `…_micros`) beside its currency.
"""

from __future__ import annotations

from tieout.store.tables.access import api_keys, platform_secrets, roles, user_refresh_tokens, user_roles, users
from tieout.store.tables.artifacts import artifact, data_folder, receipt
from tieout.store.tables.audit import audit_events, audit_heads
from tieout.store.tables.columns import Instant, is_of_a_tenant, metadata
from tieout.store.tables.events import event_delivery, event_outbox, webhook_endpoint
from tieout.store.tables.recon import DISPUTE_STATUSES, recon_disputes, recon_review_decision
from tieout.store.tables.review import review_decision
from tieout.store.tables.runs import RUN_STATUSES, publication, run, run_file, run_input
from tieout.store.tables.seals import proofs_daily_roots, proofs_log, proofs_monthly_digest, proofs_records_dropped
from tieout.store.tables.signing_keys import proofs_key
from tieout.store.tables.sources import LOAD_MODES, source, source_load
from tieout.store.tables.tenants import (
    REGISTRATION_STATUSES,
    TENANT_STATUSES,
    platform_flags,
    tenant,
    tenant_business_profile,
    tenant_feature_flags,
    tenant_flags,
    tenant_modules,
    tenant_registration,
)
from tieout.store.tables.work import breaker, job, queue_start, schedule, schedule_tick, worker

__all__ = [
    "DISPUTE_STATUSES",
    "LOAD_MODES",
    "REGISTRATION_STATUSES",
    "RUN_STATUSES",
    "TENANT_STATUSES",
    "Instant",
    "api_keys",
    "artifact",
    "audit_events",
    "audit_heads",
    "breaker",
    "data_folder",
    "event_delivery",
    "event_outbox",
    "is_of_a_tenant",
    "job",
    "metadata",
    "platform_flags",
    "platform_secrets",
    "proofs_daily_roots",
    "proofs_key",
    "proofs_log",
    "proofs_monthly_digest",
    "proofs_records_dropped",
    "publication",
    "queue_start",
    "receipt",
    "recon_disputes",
    "recon_review_decision",
    "review_decision",
    "roles",
    "run",
    "run_file",
    "run_input",
    "schedule",
    "schedule_tick",
    "source",
    "source_load",
    "tenant",
    "tenant_business_profile",
    "tenant_feature_flags",
    "tenant_flags",
    "tenant_modules",
    "tenant_registration",
    "user_refresh_tokens",
    "user_roles",
    "users",
    "webhook_endpoint",
    "worker",
]
