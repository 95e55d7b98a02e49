"""Everything that an operator may set, read once from the environment and handed down."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from tieout.core.errors import TieoutError
from tieout.core.sealing import SecretKeyUnusable, parse_key

STATE_FILE = "state.db"
MIN_MEMORY_BYTES = 64 * 1024**2
MAX_THREADS = 1024
MIN_LEASE_S = 10.0

_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*(KB|MB|GB|TB|KiB|MiB|GiB|TiB)", re.IGNORECASE)
_BYTES_PER_UNIT = {
    **{unit: 1000**power for power, unit in enumerate(("kb", "mb", "gb", "tb"), start=1)},
    **{unit: 1024**power for power, unit in enumerate(("kib", "mib", "gib", "tib"), start=1)},
}
_FLAG_PREFIX = "TIEOUT_FLAG_"
_PUBLISHER_PREFIX = "TRANSPARENCY_RATE_LIMIT_RPM_PUBLISHER_"
_FLAG_VARIABLES = ("VRA_ENABLED", "VRA_SHADOW_ONLY")  # as the runbooks print them
_STATE_SCHEMES = ("sqlite:///", "postgresql://", "postgresql+psycopg://")


class BadSetting(TieoutError):
    """An environment variable holds a value that cannot be used; `subject` is its name."""

    code = "bad_setting"


@dataclass(frozen=True)
class Settings:
    """What an operator may set, each by an environment variable; one that is unset or empty takes its default."""

    data_dir: Path
    """The folder that holds received files and runs; `~/.tieout` by default, made when it does not exist."""

    # Out of the repr, for it may hold a password.
    state_url: str = field(repr=False, metadata={"environment": "TIEOUT_STATE"})
    """The state database: `sqlite:////absolute/path/state.db` (everything after `sqlite:///` is the path) or
    `postgresql://user:password@host/database`; by default the SQLite file `state.db` in the data folder."""

    actor: str
    """Who is recorded as having received files and started runs; by default the account's name."""

    threads: int
    """Threads of the engine; by default as many as the process may use."""

    tenant: str = "default"
    """Whose data is read and written; no tenant sees another's."""

    memory_limit: str = "3GB"
    """Memory of the engine, such as `512MB`, `3GB` or `8GiB`; what does not fit spills to disk."""

    max_upload_bytes: int = 50 * 1024**2
    """The largest upload, in bytes; files named on the command line have no limit."""

    max_upload_rows: int = 500_000
    """The most rows an upload may have; files named on the command line have no limit."""

    checkpoint_after_s: float = 60.0
    """Seconds after which a run that is still working keeps its finished steps, so that it can be resumed; up to ten
    times as many where that takes more than a tenth of them."""

    retention_days: int = 540
    """Days for which the files of a superseded run are kept; its record and the current run stay."""

    # Access
    secret_key: str = field(default="", repr=False)
    """The key that seals secrets in the state database, 32 bytes in base64, the same for all processes; several with
    commas between them while it changes: the first seals, all open. Unset, it is the file `secret.key` of the data
    folder, made at the first start."""

    # Flags
    flags: Mapping[str, str] = field(
        default_factory=dict, metadata={"environment": "VRA_ENABLED, VRA_SHADOW_ONLY, TIEOUT_FLAG_…"}
    )
    """Flags that the environment decides, whatever is set otherwise: `VRA_ENABLED=true`,
    `TIEOUT_FLAG_SUPPORT_MAINTENANCE_MODE=true`; `tieout flags list` shows the variable of each."""

    # Webhooks
    webhook_allow_http: bool = False
    """Whether events may also go to http:// addresses, unencrypted: `1` or `0`."""

    webhook_allow_private: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks besides the public internet to which events may go, such as `10.1.0.0/16`, with commas between them."""

    # Proofs
    proofs_origin: str = ""
    """What the names of logs of proofs begin with: a domain of yours and perhaps a path, such as `proofs.example.com`.
    A log keeps the name that it began with; unset, `tieout.invalid`."""

    # Server
    log_level: str = "info"
    """What is logged: `debug`, `info`, `warning` or `error` and above."""

    log_format: str = "auto"
    """How: `json`, `text`, or `auto`: text on a terminal, else JSON."""

    otlp_endpoint: str = ""
    """Where traces are sent, such as `http://localhost:4318/v1/traces`; unset, nothing is traced."""

    trace_ratio: float = 0.1
    """The share of requests whose trace is recorded, 0 to 1, where the caller does not say."""

    worker_port: int = 3001
    """The port of a worker's probes `/healthz` and `/readyz`; 0 for none."""

    trusted_hosts: tuple[str, ...] = ()
    """Names, with commas between them, that the header Host may hold; unset, any."""

    trusted_proxies: str = ""
    """Addresses, with commas between them, of proxies whose X-Forwarded-For and X-Forwarded-Proto count; unset, none's
    do."""

    max_body_bytes: int = 1024**2
    """The largest body of a request that is no upload, in bytes."""

    request_timeout_s: float = 30.0
    """Seconds after which a request that is not answered is refused with 503 (or 408 while its body is awaited)."""

    shutdown_grace_s: float = 30.0
    """Seconds that requests and jobs have to finish once the process is told to stop; then jobs are handed back."""

    rate_limit_rpm: int = 100
    """Requests a minute that a key or token may make under `/v1`, in each process of the API."""

    rate_limit_tenant_rpm: int = 1000
    """Requests a minute that all keys and tokens of a tenant may make together, in each process of the API."""

    rate_limit_login_rpm: int = 10
    """Attempts to sign in or to register a minute from one address, in each process of the API."""

    rate_limit_ads_rpm: int = field(default=120, metadata={"environment": "TRANSPARENCY_RATE_LIMIT_RPM_DEFAULT"})
    """Requests a minute of one publisher from one address under `/api/v1`, in each process of the API."""

    rate_limit_publishers: Mapping[str, int] = field(
        default_factory=dict, metadata={"environment": "TRANSPARENCY_RATE_LIMIT_RPM_PUBLISHER_…"}
    )
    """The same for single publishers: `TRANSPARENCY_RATE_LIMIT_RPM_PUBLISHER_acme=600`, where `acme` is the tenant."""

    # Ads
    ads_local_reads: bool = False
    """Whether programs of this machine may read the ads book under `/api/v1/recon` without signing in, as the tenant of
    `TIEOUT_TENANT`: `1` or `0`. Not for a machine whose proxy hands requests of others on to this port."""

    ads_networks: tuple[str, ...] = field(default=(), metadata={"environment": "VRA_ALLOWED_NETWORKS"})
    """Networks, with commas between them, whose statements are taken; unset, those of all."""

    ads_max_bytes: int = field(default=50 * 1024**2, metadata={"environment": "VRA_INGEST_MAX_BYTES"})
    """The largest statement of an ad network, in bytes."""

    ads_max_rows: int = field(default=500_000, metadata={"environment": "VRA_INGEST_MAX_ROWS"})
    """The most rows that a statement of an ad network may have."""

    dispute_storage: str = field(default="fs", metadata={"environment": "VRA_DISPUTE_STORAGE"})
    """Where kits of evidence for disputes are kept: `fs`, `s3`, or `memory` (gone when the process ends)."""

    dispute_fs_dir: Path | None = field(default=None, metadata={"environment": "VRA_DISPUTE_FS_DIR"})
    """The folder for kits; `vra-kits` in the data folder by default."""

    dispute_bucket: str = field(default="", metadata={"environment": "VRA_DISPUTE_BUCKET"})
    """The S3 bucket for kits; credentials are the usual variables of AWS."""

    dispute_prefix: str = field(default="vra", metadata={"environment": "VRA_DISPUTE_PREFIX"})
    """What the names of kits in the bucket begin with."""

    s3_region: str = field(default="", metadata={"environment": "VRA_S3_REGION"})
    """The region of the bucket."""

    s3_endpoint: str = field(default="", metadata={"environment": "VRA_S3_ENDPOINT"})
    """The address of an S3 that is not of AWS, such as `https://minio.example.com:9000`."""

    ads_four_eyes: bool = False
    """Whether a decision about a pair of the ads book counts only once a second person has made it too: `1` or `0`."""

    read_replicas: int = 0
    """Streaming replicas that PostgreSQL must have for `/ready` to say so; where it has any, their lag counts."""

    ready_max_lag_s: float = 15.0
    """Seconds that a replica may lag behind before `/ready` refuses."""

    ready_max_backlog: int = 10_000
    """Jobs that may wait in the queue `ingest` before `/ready` refuses."""

    ready_min_cache_hit: float = 0.8
    """The share of blocks, 0 to 1, that PostgreSQL must find in memory for `/ready` to say so."""

    # Durable work
    queue_capacity: int = 5000
    """Jobs of one tenant that may wait in one queue; more are refused with 503."""

    batch_threads: int = 2
    """Micro-batches that a worker does at the same time."""

    step_threads: int = 4
    """Long jobs that a worker does at the same time."""

    job_lease_s: float = 60.0
    """Seconds without a word of its worker after which a job is given to another, 10 or more."""

    job_retention_days: int = 30
    """Days for which jobs that are done or cancelled are kept, and their idempotency keys with them."""

    dead_letter_days: int = 180
    """Days for which dead letters are kept: jobs whose last attempt failed."""

    event_retention_days: int = 90
    """Days for which events are kept once nobody waits for them; the last of each thing is kept for good."""

    breaker_threshold: int = 5
    """Failures of an integration in a row that open its circuit breaker."""

    breaker_open_s: float = 300.0
    """Seconds for which an open circuit breaker lets no call through."""

    breaker_probes: int = 3
    """Calls that try whether an integration is back, before others may."""

    ads_raw_months: int = 12
    """Months for which statements of ad networks are kept as received, from the day on which they were loaded."""

    ads_facts_months: int = 18
    """Months for which lines, expected rows, matches and deltas of the ads book are kept, from the day they are of."""

    ads_disputes_months: int = 36
    """Months for which disputes of the ads book are kept with their kits; submitted ones until they are decided."""

    ads_proofs_months: int = 36
    """Months for which records of sealed days of the ads book are kept; monthly digests stay, and what they rest on."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read the TIEOUT_* variables.

        Raises BadSetting, naming the variable, for a value that cannot be used.
        """
        data_dir = _data_dir(environ)
        return cls(
            data_dir=data_dir,
            state_url=_state_url(environ, data_dir),
            actor=_actor(environ),
            threads=_whole(environ, "TIEOUT_THREADS", len(os.sched_getaffinity(0)), at_most=MAX_THREADS),
            tenant=_tenant(environ),
            memory_limit=_memory_limit(environ),
            max_upload_bytes=_whole(environ, "TIEOUT_MAX_UPLOAD_BYTES", cls.max_upload_bytes),
            max_upload_rows=_whole(environ, "TIEOUT_MAX_UPLOAD_ROWS", cls.max_upload_rows),
            checkpoint_after_s=_seconds(environ, "TIEOUT_CHECKPOINT_AFTER_S", cls.checkpoint_after_s),
            retention_days=_whole(environ, "TIEOUT_RETENTION_DAYS", cls.retention_days, at_most=36_500),
            secret_key=_secret_key(environ),
            rate_limit_publishers=_publishers(environ),
            flags=_flags(environ),
            proofs_origin=_origin(environ, "TIEOUT_PROOFS_ORIGIN"),
            webhook_allow_http=_yes_or_no(environ, "TIEOUT_WEBHOOK_ALLOW_HTTP"),
            webhook_allow_private=_networks(environ, "TIEOUT_WEBHOOK_ALLOW_PRIVATE"),
            **_of_the_server(environ),
            **_of_durable_work(environ),
            **_of_ads(environ),
        )


def _of_the_server(environ: Mapping[str, str]) -> dict[str, Any]:
    hosts = (environ.get("TIEOUT_TRUSTED_HOSTS") or "").split(",")
    return {
        "log_level": _one_of(environ, "TIEOUT_LOG_LEVEL", Settings.log_level, ("debug", "info", "warning", "error")),
        "log_format": _one_of(environ, "TIEOUT_LOG_FORMAT", Settings.log_format, ("auto", "json", "text")),
        "otlp_endpoint": _endpoint(environ, "TIEOUT_OTLP_ENDPOINT"),
        "trace_ratio": _share(environ, "TIEOUT_TRACE_RATIO", Settings.trace_ratio),
        "worker_port": _whole(environ, "TIEOUT_WORKER_PORT", Settings.worker_port, at_least=0, at_most=65_535),
        "trusted_hosts": tuple(host.strip().lower() for host in hosts if host.strip()),
        "trusted_proxies": (environ.get("TIEOUT_TRUSTED_PROXIES") or "").strip(),
        "max_body_bytes": _whole(environ, "TIEOUT_MAX_BODY_BYTES", Settings.max_body_bytes),
        "request_timeout_s": _seconds(environ, "TIEOUT_REQUEST_TIMEOUT_S", Settings.request_timeout_s),
        "shutdown_grace_s": _seconds(environ, "TIEOUT_SHUTDOWN_GRACE_S", Settings.shutdown_grace_s),
        "rate_limit_rpm": _whole(environ, "TIEOUT_RATE_LIMIT_RPM", Settings.rate_limit_rpm),
        "rate_limit_tenant_rpm": _whole(environ, "TIEOUT_RATE_LIMIT_TENANT_RPM", Settings.rate_limit_tenant_rpm),
        "rate_limit_login_rpm": _whole(environ, "TIEOUT_RATE_LIMIT_LOGIN_RPM", Settings.rate_limit_login_rpm),
        "rate_limit_ads_rpm": _whole(environ, "TRANSPARENCY_RATE_LIMIT_RPM_DEFAULT", Settings.rate_limit_ads_rpm),
        "read_replicas": _whole(environ, "TIEOUT_READ_REPLICAS", Settings.read_replicas, at_least=0, at_most=1000),
        "ready_max_lag_s": _seconds(environ, "TIEOUT_READY_MAX_LAG_S", Settings.ready_max_lag_s),
        "ready_max_backlog": _whole(environ, "TIEOUT_READY_MAX_BACKLOG", Settings.ready_max_backlog),
        "ready_min_cache_hit": _share(environ, "TIEOUT_READY_MIN_CACHE_HIT", Settings.ready_min_cache_hit),
    }


def _of_durable_work(environ: Mapping[str, str]) -> dict[str, Any]:
    lease_s = _seconds(environ, "TIEOUT_JOB_LEASE_S", Settings.job_lease_s)
    if lease_s < MIN_LEASE_S:
        raise BadSetting(
            f"TIEOUT_JOB_LEASE_S is {lease_s:g}.",
            subject="TIEOUT_JOB_LEASE_S",
            remedy=f"Use {MIN_LEASE_S:g} seconds or more: a worker must have time to say that it lives.",
        )
    return {
        "queue_capacity": _whole(environ, "TIEOUT_QUEUE_CAPACITY", Settings.queue_capacity, at_most=1_000_000),
        "batch_threads": _whole(environ, "TIEOUT_BATCH_THREADS", Settings.batch_threads, at_most=64),
        "step_threads": _whole(environ, "TIEOUT_STEP_THREADS", Settings.step_threads, at_most=64),
        "job_lease_s": lease_s,
        "job_retention_days": _whole(environ, "TIEOUT_JOB_RETENTION_DAYS", Settings.job_retention_days, at_most=36_500),
        "event_retention_days": _whole(
            environ, "TIEOUT_EVENT_RETENTION_DAYS", Settings.event_retention_days, at_most=36_500
        ),
        "dead_letter_days": _whole(environ, "TIEOUT_DEAD_LETTER_DAYS", Settings.dead_letter_days, at_most=36_500),
        "breaker_threshold": _whole(environ, "TIEOUT_BREAKER_THRESHOLD", Settings.breaker_threshold, at_most=1000),
        "breaker_open_s": _seconds(environ, "TIEOUT_BREAKER_OPEN_S", Settings.breaker_open_s),
        "breaker_probes": _whole(environ, "TIEOUT_BREAKER_PROBES", Settings.breaker_probes, at_most=1000),
    }


def _of_ads(environ: Mapping[str, str]) -> dict[str, Any]:
    networks = (environ.get("VRA_ALLOWED_NETWORKS") or "").split(",")
    return {
        "ads_networks": tuple(network.strip().lower() for network in networks if network.strip()),
        "ads_max_bytes": _whole(environ, "VRA_INGEST_MAX_BYTES", Settings.ads_max_bytes),
        "dispute_storage": _one_of(environ, "VRA_DISPUTE_STORAGE", Settings.dispute_storage, ("fs", "s3", "memory")),
        "dispute_fs_dir": _folder(environ, "VRA_DISPUTE_FS_DIR"),
        "dispute_bucket": (environ.get("VRA_DISPUTE_BUCKET") or "").strip(),
        "dispute_prefix": (environ.get("VRA_DISPUTE_PREFIX") or Settings.dispute_prefix).strip(),
        "s3_region": (environ.get("VRA_S3_REGION") or "").strip(),
        "s3_endpoint": _endpoint(environ, "VRA_S3_ENDPOINT"),
        "ads_four_eyes": _yes_or_no(environ, "TIEOUT_ADS_FOUR_EYES"),
        "ads_local_reads": _yes_or_no(environ, "TIEOUT_ADS_LOCAL_READS"),
        "ads_max_rows": _whole(environ, "VRA_INGEST_MAX_ROWS", Settings.ads_max_rows),
        **{
            name: _whole(environ, f"TIEOUT_{name.upper()}", getattr(Settings, name), at_most=1200)
            for name in ("ads_raw_months", "ads_facts_months", "ads_disputes_months", "ads_proofs_months")
        },
    }


def _data_dir(environ: Mapping[str, str]) -> Path:
    text = environ.get("TIEOUT_DATA_DIR") or "~/.tieout"
    if text == "~" or text.startswith("~/"):
        home = environ.get("HOME") or _account().pw_dir
        text = home + text[1:]
    if "\0" in text:
        raise BadSetting("TIEOUT_DATA_DIR holds a NUL character.", subject="TIEOUT_DATA_DIR")
    path = Path(text).absolute()
    if path.exists() and not path.is_dir():
        raise BadSetting(
            f"TIEOUT_DATA_DIR is {path}, which is no folder.",
            subject="TIEOUT_DATA_DIR",
            remedy="Name a folder; it is made when it does not exist.",
        )
    return path


def _folder(environ: Mapping[str, str], variable: str) -> Path | None:
    text = (environ.get(variable) or "").strip()
    if "\0" in text:
        raise BadSetting(f"{variable} holds a NUL character.", subject=variable)
    return Path(text).absolute() if text else None


def _state_url(environ: Mapping[str, str], data_dir: Path) -> str:
    url = environ.get("TIEOUT_STATE") or f"sqlite:///{data_dir / STATE_FILE}"
    # The value itself stays out of the message: it may hold a password.
    if not url.startswith(_STATE_SCHEMES) or url.endswith("///"):
        raise BadSetting(
            "TIEOUT_STATE is not the address of a state database.",
            subject="TIEOUT_STATE",
            remedy="Use sqlite:////absolute/path/state.db or postgresql://user:password@host/database.",
        )
    return url


def _tenant(environ: Mapping[str, str]) -> str:
    return check_tenant(environ.get("TIEOUT_TENANT") or Settings.tenant, "TIEOUT_TENANT")


def check_tenant(tenant: str, said_by: str) -> str:
    """Return `tenant`, which `said_by` gave, if it can be the id of one; raise BadSetting."""
    if not _TENANT.fullmatch(tenant):
        raise BadSetting(
            f"{said_by} is {tenant!r}.",
            subject=said_by,
            remedy="Use 1 to 64 letters, digits, '.', '_' or '-', the first a letter or a digit.",
        )
    return tenant


def _actor(environ: Mapping[str, str]) -> str:
    actor = environ.get("TIEOUT_ACTOR") or _account_name()
    if not actor.isprintable() or not actor.strip() or len(actor) > 200:
        raise BadSetting(
            f"TIEOUT_ACTOR is {actor[:50]!r}.",
            subject="TIEOUT_ACTOR",
            remedy="Use a name of 1 to 200 printable characters.",
        )
    return actor


def _memory_limit(environ: Mapping[str, str]) -> str:
    text = environ.get("TIEOUT_MEMORY_LIMIT") or Settings.memory_limit
    found = _MEMORY.fullmatch(text.strip())
    if found is None or Decimal(found[1]) * _BYTES_PER_UNIT[found[2].lower()] < MIN_MEMORY_BYTES:
        raise BadSetting(
            f"TIEOUT_MEMORY_LIMIT is {text!r}.",
            subject="TIEOUT_MEMORY_LIMIT",
            remedy="Use a size of at least 64MiB such as 512MB, 3GB or 8GiB.",
        )
    return f"{found[1]}{found[2]}"


def _secret_key(environ: Mapping[str, str]) -> str:
    text = environ.get("TIEOUT_SECRET_KEY") or ""
    for one in text.split(",") if text else ():
        try:
            parse_key(one)
        except SecretKeyUnusable as error:
            raise BadSetting(
                f"TIEOUT_SECRET_KEY cannot be used: {error.what}", subject="TIEOUT_SECRET_KEY", remedy=error.remedy
            ) from None
    return text


def _flags(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        variable: text
        for variable, text in environ.items()
        if text and (variable.startswith(_FLAG_PREFIX) or variable in _FLAG_VARIABLES)
    }


def _publishers(environ: Mapping[str, str]) -> dict[str, int]:
    return {
        check_tenant(variable.removeprefix(_PUBLISHER_PREFIX), variable): _whole(
            environ, variable, Settings.rate_limit_ads_rpm
        )
        for variable, text in environ.items()
        if text and variable.startswith(_PUBLISHER_PREFIX)
    }


def _whole(
    environ: Mapping[str, str], variable: str, default: int, *, at_least: int = 1, at_most: int = 2**63 - 1
) -> int:
    text = (environ.get(variable) or str(default)).strip()
    # isdecimal() also accepts digits of other scripts, int() reads them, and nobody types them by mistake.
    if not text.isdecimal() or len(text) > 19 or not at_least <= int(text) <= at_most:
        raise BadSetting(
            f"{variable} is {text!r}.",
            subject=variable,
            remedy=f"Use a whole number from {at_least} to {at_most}, or unset it for {default}.",
        )
    return int(text)


def _one_of(environ: Mapping[str, str], variable: str, default: str, words: tuple[str, ...]) -> str:
    text = (environ.get(variable) or default).strip().lower()
    if text not in words:
        raise BadSetting(f"{variable} is {text!r}.", subject=variable, remedy=f"Use one of {', '.join(words)}.")
    return text


def _share(environ: Mapping[str, str], variable: str, default: float) -> float:
    text = (environ.get(variable) or str(default)).strip()
    if not re.fullmatch(r"0(\.\d{1,9})?|1(\.0{1,9})?", text, re.ASCII):
        raise BadSetting(
            f"{variable} is {text!r}.", subject=variable, remedy=f"Use 0 to 1, or unset it for {default:g}."
        )
    return float(text)


def _endpoint(environ: Mapping[str, str], variable: str) -> str:
    text = (environ.get(variable) or "").strip()
    if text and not re.fullmatch(r"https?://[^\s]+", text):
        raise BadSetting(
            f"{variable} is no address of a collector.",
            subject=variable,
            remedy="Use an address such as http://localhost:4318/v1/traces.",
        )
    return text


def _origin(environ: Mapping[str, str], variable: str) -> str:
    text = (environ.get(variable) or "").strip().rstrip("/")
    if text and not re.fullmatch(r"[A-Za-z0-9._~/-]{1,200}", text):
        raise BadSetting(
            f"{variable} is {text[:50]!r}.",
            subject=variable,
            remedy="Use a domain and perhaps a path without a scheme, such as proofs.example.com/tieout.",
        )
    return text


def _seconds(environ: Mapping[str, str], variable: str, default: float) -> float:
    text = (environ.get(variable) or str(default)).strip()
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text):
        raise BadSetting(
            f"{variable} is {text!r}.",
            subject=variable,
            remedy=f"Use a number of seconds, 0 or more, or unset it for {default:g}.",
        )
    return float(text)


def _yes_or_no(environ: Mapping[str, str], variable: str) -> bool:
    text = (environ.get(variable) or "0").strip()
    if text not in {"0", "1"}:
        raise BadSetting(f"{variable} is {text!r}.", subject=variable, remedy="Use 1 for yes or 0 for no.")
    return text == "1"


def _networks(environ: Mapping[str, str], variable: str) -> tuple[IPv4Network | IPv6Network, ...]:
    texts = [text.strip() for text in (environ.get(variable) or "").split(",")]
    try:
        return tuple(ip_network(text) for text in texts if text)
    except ValueError as error:
        raise BadSetting(
            f"{variable} names what is no network: {error}.",
            subject=variable,
            remedy="Use networks such as 10.1.0.0/16 or fd00:1::/64, with commas between them.",
        ) from None


def _account() -> pwd.struct_passwd:
    return pwd.getpwuid(os.getuid())


def _account_name() -> str:
    try:
        return _account().pw_name
    except KeyError:  # a container may run under a number that has no account
        return f"uid-{os.getuid()}"
