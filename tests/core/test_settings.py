import os
import pwd
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
