import os
import pwd
from ipaddress import ip_network
from pathlib import Path

import pytest

from tieout.core.settings import BadSetting, Settings


def test_an_empty_environment_gives_the_defaults():
    settings = Settings.from_environment({"HOME": "/home/ann"})
    assert settings == Settings(
        data_dir=Path("/home/ann/.tieout"),
        state_url="sqlite:////home/ann/.tieout/state.db",
        actor=pwd.getpwuid(os.getuid()).pw_name,
        threads=len(os.sched_getaffinity(0)),
        tenant="default",
        memory_limit="3GB",
        max_upload_bytes=52_428_800,
        max_upload_rows=500_000,
        checkpoint_after_s=60.0,
        retention_days=540,
    )


def test_each_variable_is_read():
    settings = Settings.from_environment(
        {
            "TIEOUT_DATA_DIR": "/srv/tieout",
            "TIEOUT_STATE": "postgresql://ann:secret@db/tieout",
            "TIEOUT_ACTOR": "Ann",
            "TIEOUT_THREADS": "3",
            "TIEOUT_TENANT": "acme",
            "TIEOUT_MEMORY_LIMIT": "1.5 GiB",
            "TIEOUT_MAX_UPLOAD_BYTES": "10",
            "TIEOUT_MAX_UPLOAD_ROWS": "20",
            "TIEOUT_CHECKPOINT_AFTER_S": "0.5",
            "TIEOUT_RETENTION_DAYS": "30",
        }
    )
    assert settings == Settings(
        data_dir=Path("/srv/tieout"),
        state_url="postgresql://ann:secret@db/tieout",
        actor="Ann",
        threads=3,
        tenant="acme",
        memory_limit="1.5GiB",
        max_upload_bytes=10,
        max_upload_rows=20,
        checkpoint_after_s=0.5,
        retention_days=30,
    )


def test_what_events_may_reach_is_read():
    given = {"TIEOUT_WEBHOOK_ALLOW_HTTP": "1", "TIEOUT_WEBHOOK_ALLOW_PRIVATE": "10.1.0.0/16, fd00:1::/64"}
    settings = Settings.from_environment(given)
    assert settings.webhook_allow_http
    assert settings.webhook_allow_private == (ip_network("10.1.0.0/16"), ip_network("fd00:1::/64"))
    assert not Settings.from_environment({}).webhook_allow_http
    assert Settings.from_environment({}).webhook_allow_private == ()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TIEOUT_WEBHOOK_ALLOW_HTTP", "yes"),
        ("TIEOUT_WEBHOOK_ALLOW_PRIVATE", "10.1.2.3/16"),
        ("TIEOUT_WEBHOOK_ALLOW_PRIVATE", "inside"),
    ],
)
def test_what_events_may_reach_must_be_said_exactly(variable, value):
    with pytest.raises(BadSetting, match=variable):
        Settings.from_environment({variable: value})


def test_an_empty_variable_counts_as_unset():
    given = {"HOME": "/home/ann", "TIEOUT_THREADS": "", "TIEOUT_DATA_DIR": "", "TIEOUT_STATE": ""}
    assert Settings.from_environment(given) == Settings.from_environment({"HOME": "/home/ann"})


def test_a_relative_data_folder_is_meant_from_where_the_program_starts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment({"TIEOUT_DATA_DIR": "kept"})
    assert settings.data_dir == tmp_path / "kept"
    assert settings.state_url == f"sqlite:///{tmp_path}/kept/state.db"


def test_a_password_in_the_state_address_is_not_printed():
    settings = Settings.from_environment({"TIEOUT_STATE": "postgresql://ann:secret@db/tieout"})
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TIEOUT_DATA_DIR", "/etc/passwd"),
        ("TIEOUT_DATA_DIR", "a\0b"),
        ("TIEOUT_STATE", "mysql://db/tieout"),
        ("TIEOUT_STATE", "sqlite://"),
        ("TIEOUT_STATE", "sqlite:///"),
        ("TIEOUT_STATE", "state.db"),
        ("TIEOUT_TENANT", "../acme"),
        ("TIEOUT_TENANT", "a" * 65),
        ("TIEOUT_TENANT", "ac me"),
        ("TIEOUT_ACTOR", "ann\nroot"),
        ("TIEOUT_ACTOR", "  "),
        ("TIEOUT_MEMORY_LIMIT", "lots"),
        ("TIEOUT_MEMORY_LIMIT", "3"),
        ("TIEOUT_MEMORY_LIMIT", "1MB"),
        ("TIEOUT_MEMORY_LIMIT", "-3GB"),
        ("TIEOUT_THREADS", "0"),
        ("TIEOUT_THREADS", "1025"),
        ("TIEOUT_THREADS", "two"),
        ("TIEOUT_THREADS", "²"),
        ("TIEOUT_MAX_UPLOAD_BYTES", "50MB"),
        ("TIEOUT_MAX_UPLOAD_ROWS", "-1"),
        ("TIEOUT_CHECKPOINT_AFTER_S", "soon"),
        ("TIEOUT_CHECKPOINT_AFTER_S", "nan"),
        ("TIEOUT_CHECKPOINT_AFTER_S", "-1"),
        ("TIEOUT_RETENTION_DAYS", "0"),
        ("TIEOUT_RETENTION_DAYS", "9" * 5000),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_the_name_of_its_variable(variable, value):
    with pytest.raises(BadSetting, match=variable) as caught:
        Settings.from_environment({"HOME": "/home/ann", variable: value})
    assert caught.value.subject == variable


def test_a_state_address_that_is_refused_is_not_repeated_for_it_may_hold_a_password():
    with pytest.raises(BadSetting) as caught:
        Settings.from_environment({"TIEOUT_STATE": "postgres:ann:secret@db"})
    assert "secret" not in str(caught.value)


def test_the_variables_of_the_server_are_read():
    settings = Settings.from_environment(
        {
            "HOME": "/home/ann",
            "TIEOUT_LOG_LEVEL": "Warning",
            "TIEOUT_LOG_FORMAT": "json",
            "TIEOUT_OTLP_ENDPOINT": "http://localhost:4318/v1/traces",
            "TIEOUT_TRACE_RATIO": "0.5",
            "TIEOUT_WORKER_PORT": "3002",
            "TIEOUT_TRUSTED_HOSTS": "API.example.com, [::1]",
            "TIEOUT_TRUSTED_PROXIES": "10.0.0.1",
            "TIEOUT_MAX_BODY_BYTES": "1",
            "TIEOUT_REQUEST_TIMEOUT_S": "2",
            "TIEOUT_SHUTDOWN_GRACE_S": "3",
            "TIEOUT_RATE_LIMIT_RPM": "4",
            "TIEOUT_RATE_LIMIT_TENANT_RPM": "5",
            "TIEOUT_RATE_LIMIT_LOGIN_RPM": "6",
            "TRANSPARENCY_RATE_LIMIT_RPM_DEFAULT": "7",
            "TIEOUT_READ_REPLICAS": "0",
            "TIEOUT_READY_MAX_LAG_S": "8",
            "TIEOUT_READY_MAX_BACKLOG": "9",
            "TIEOUT_READY_MIN_CACHE_HIT": "1.0",
        }
    )
    assert (settings.log_level, settings.log_format, settings.trace_ratio) == ("warning", "json", 0.5)
    assert settings.otlp_endpoint == "http://localhost:4318/v1/traces"
    assert settings.trusted_hosts == ("api.example.com", "[::1]")
    assert settings.trusted_proxies == "10.0.0.1"
    assert (settings.worker_port, settings.max_body_bytes) == (3002, 1)
    assert (settings.request_timeout_s, settings.shutdown_grace_s) == (2.0, 3.0)
    assert (settings.rate_limit_rpm, settings.rate_limit_tenant_rpm) == (4, 5)
    assert (settings.rate_limit_login_rpm, settings.rate_limit_ads_rpm) == (6, 7)
    assert (settings.read_replicas, settings.ready_max_lag_s) == (0, 8.0)
    assert (settings.ready_max_backlog, settings.ready_min_cache_hit) == (9, 1.0)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TIEOUT_LOG_LEVEL", "loud"),
        ("TIEOUT_LOG_FORMAT", "xml"),
        ("TIEOUT_OTLP_ENDPOINT", "localhost:4318"),
        ("TIEOUT_TRACE_RATIO", "1.1"),
        ("TIEOUT_TRACE_RATIO", "-0"),
        ("TIEOUT_WORKER_PORT", "65536"),
        ("TIEOUT_READ_REPLICAS", "-1"),
    ],
)
def test_a_bad_value_of_the_server_is_refused_by_name(variable, value):
    with pytest.raises(BadSetting, match=variable):
        Settings.from_environment({"HOME": "/home/ann", variable: value})
