import json

import pytest
from typer.testing import CliRunner

from tieout.cli.app import build
from tieout.compose import open_platform, open_workspace
from tieout.core.errors import TieoutError

MAINTENANCE = "support.maintenance_mode"
PASSWORD = "a sentence nobody guesses"  # noqa: S105 - of someone who exists in tests alone
BLUE_DOOR = [
    *("--legal-name", "Blue Door GmbH", "--name", "Blue Door", "--email", "office@blue.example"),
    *("--phone", "+49 30 1234567", "--country", "DE", "--time-zone", "Europe/Berlin"),
    *("--owner", "Mia Stone", "--owner-email", "mia@blue.example", "--password-stdin"),
]


@pytest.fixture
def tieout(state_url, tmp_path, monkeypatch):
    """Run a command line on a state of either kind; return its exit code and what it printed."""
    for name, value in (("DATA_DIR", str(tmp_path / "data")), ("STATE", state_url), ("ACTOR", "ann")):
        monkeypatch.setenv(f"TIEOUT_{name}", value)
    monkeypatch.delenv("VRA_ENABLED", raising=False)
    app = build(open_workspace, open_platform)

    def invoke(*words, typed=""):
        result = CliRunner().invoke(app, list(words), env={"COLUMNS": "250"}, input=typed)
        if isinstance(result.exception, TieoutError):
            raise result.exception
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, json.loads(result.stdout) if "--json" in words else result.output

    return invoke


@pytest.fixture
def registration(tieout):
    code, said = tieout("tenants", "register", *BLUE_DOOR, "--json", typed=f"{PASSWORD}\n")
    assert code == 0
    assert PASSWORD not in json.dumps(said)
    assert "hash" not in json.dumps(said)
    return said["registration_id"]


def test_a_tenant_from_application_to_its_end(tieout, registration):
    code, listed = tieout("tenants", "list", "--applications", "--json")
    assert [(one["registration_id"], one["status"]) for one in listed["registrations"]] == [(registration, "pending")]
    assert tieout("tenants", "approve", registration, "--dry-run")[0] == 10
    code, approved = tieout("tenants", "approve", registration, "--module", "menu=on", "--json")
    assert (code, approved["status"], approved["alias"]) == (0, "approved", "blue-door")
    assert approved["decided_by"] == "account:ann"

    code, shown = tieout("tenants", "show", "blue-door", "--json")
    assert (shown["tenant"], shown["status"]) == (registration, "active")
    assert {one["key"]: one["enabled"] for one in shown["modules"]}["menu"] is True
    assert "blue-door" in tieout("tenants", "list")[1]

    assert tieout("tenants", "modules", "blue-door", "--module", "loyalty=on", "--dry-run")[0] == 10
    assert tieout("tenants", "modules", "blue-door", "--module", "loyalty=on", "--json")[1]["changed"] is True
    assert tieout("tenants", "modules", "blue-door", "--module", "loyalty=on")[0] == 10

    with pytest.raises(TieoutError, match="--yes"):
        tieout("tenants", "suspend", "blue-door")
    assert tieout("tenants", "suspend", "blue-door", "--dry-run", "--json")[1]["status"] == "active"
    assert tieout("tenants", "suspend", "blue-door", "--yes", "--json")[1]["status"] == "suspended"
    assert tieout("tenants", "reactivate", "blue-door", "--json")[1]["status"] == "active"
    assert tieout("tenants", "close", "blue-door", "--yes")[0] == 0
    with pytest.raises(TieoutError, match="closed"):
        tieout("tenants", "reactivate", "blue-door")


def test_an_application_is_rejected_only_after_a_yes(tieout, registration):
    with pytest.raises(TieoutError, match="--yes"):
        tieout("tenants", "reject", registration)
    assert tieout("tenants", "reject", registration, "--dry-run")[0] == 10
    done = tieout("tenants", "reject", registration, "--yes", "--reason", "no street", "--json")[1]
    assert (done["status"], done["reason"]) == ("rejected", "no street")
    for again in (["approve", registration], ["reject", registration, "--yes"]):
        with pytest.raises(TieoutError, match="already processed"):
            tieout("tenants", *again)


@pytest.mark.parametrize(
    "words",
    [
        ["tenants", "show", "nobody"],
        ["tenants", "approve", "nothing"],
        ["tenants", "modules", "nobody", "--module", "pos=on"],
        ["tenants", "suspend", "*", "--yes"],
        ["flags", "set", "no.such.flag", "true"],
        ["flags", "set", MAINTENANCE, "maybe"],
        ["flags", "set", MAINTENANCE, "true", "--tenant", "nobody"],
        ["flags", "set", MAINTENANCE, "true", "--for", "soon"],
        ["flags", "unset", "no.such.flag"],
    ],
)
def test_what_cannot_be_is_said_in_words(tieout, words):
    with pytest.raises(TieoutError) as caught:
        tieout(*words)
    assert caught.value.what


def test_a_switch_that_is_none_is_refused(tieout, registration):
    for bad in ("menu", "menu=maybe", "=on", "Menu=on"):
        with pytest.raises(TieoutError):
            tieout("tenants", "approve", registration, "--module", bad)


def test_flags_are_set_and_unset_from_the_command_line(tieout):
    code, said = tieout("flags", "set", MAINTENANCE, "on", "--for", "2h", "--reason", "new disks", "--dry-run")
    assert (code, "would become on" in said) == (10, True)
    code, said = tieout("flags", "set", MAINTENANCE, "on", "--for", "2h", "--json")
    assert (code, said["value"], said["origin"], said["changed"]) == (0, True, "global", True)
    assert tieout("flags", "set", "multi_location", "true", "--tenant", "default")[0] == 0
    assert tieout("flags", "set", "multi_location", "true", "--tenant", "default")[0] == 10
    code, listed = tieout("flags", "list", "--json")
    found = {one["key"]: one for one in listed}
    assert (found[MAINTENANCE]["value"], found["multi_location"]["tenants"]) == (True, {"default": True})
    assert "new disks" not in tieout("flags", "list")[1]
    assert tieout("flags", "unset", MAINTENANCE)[0] == 0
    assert tieout("flags", "unset", MAINTENANCE)[0] == 10


def test_what_the_environment_decides_is_shown_as_such(tieout, monkeypatch):
    monkeypatch.setenv("VRA_ENABLED", "true")
    found = {one["key"]: one for one in tieout("flags", "list", "--json")[1]}["VRA_ENABLED"]
    assert (found["value"], found["origin"]) == (True, "environment")
    with pytest.raises(TieoutError, match="VRA_ENABLED decides"):
        tieout("flags", "set", "VRA_ENABLED", "false")
