from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from tieout.cli.agreement import AgreementNeeded
from tieout.cli.app import build
from tieout.cli.keys import KeyNameAmbiguous
from tieout.cli.keys_app import keys
from tieout.compose import open_platform, open_workspace
from tieout.control.access.actions.keys import KeyUnknown
from tieout.control.access.authentication import authenticate
from tieout.control.access.caller import NotSignedIn
from tieout.control.access.registry import UnknownPermission
from tieout.core.actor import Actor
from tieout.core.settings import BadSetting


@pytest.fixture
def tieout(state_url, tmp_path, monkeypatch):
    """Run a command line on an installation of its own; return its exit code and what it printed."""
    monkeypatch.setenv("TIEOUT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TIEOUT_STATE", state_url)
    monkeypatch.setenv("TIEOUT_ACTOR", "ann")
    monkeypatch.delenv("TIEOUT_TENANT", raising=False)
    monkeypatch.delenv("TIEOUT_SECRET_KEY", raising=False)
    build(open_workspace, open_platform)
    app = typer.Typer()
    app.add_typer(keys)

    def invoke(*words):
        result = CliRunner().invoke(app, ["keys", *words], env={"COLUMNS": "200"})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, json.loads(result.stdout) if "--json" in words else result.stdout

    return invoke


def who(text):
    platform = open_platform()
    try:
        return authenticate(platform, f"Bearer {text}", Actor("anonymous"))
    finally:
        platform.close()


def test_a_key_is_made_for_the_tenant_of_the_settings_or_the_one_that_is_named(tieout):
    code, said = tieout("create", "till", "--permission", "pos.*")
    assert code == 0
    text, told = said.splitlines()
    assert "not shown again" in told
    assert who(text).tenant == "default"
    made = tieout("create", "admin", "--permission", "*", "--tenant", "superadmin", "--days", "3", "--json")[1]
    assert (made["tenant"], made["created_by"], made["permissions"]) == ("superadmin", "account:ann", ["*"])
    assert who(made["key"]).may("superadmin.tenants.read")
    shown = tieout("list", "--json")[1]
    assert (shown["tenant"], shown["total"], [key["name"] for key in shown["keys"]]) == ("default", 1, ["till"])
    assert "key" not in shown["keys"][0]
    assert "till" in tieout("list")[1]
    assert "has no API key" in tieout("list", "--tenant", "nobody")[1]


def test_a_key_is_replaced_by_the_first_part_of_its_id(tieout):
    old = tieout("create", "till", "--permission", "pos.*", "--json")[1]
    new = tieout("rotate", old["id"][:30], "--overlap-hours", "1", "--json")[1]
    assert who(old["key"]).may("pos.tickets.read")
    assert who(new["key"]).may("pos.tickets.read")
    shown = {key["id"]: key for key in tieout("list", "--json")[1]["keys"]}
    assert shown[old["id"]]["replaced_by"] == new["id"]
    with pytest.raises(KeyNameAmbiguous):
        tieout("rotate", "0")
    with pytest.raises(KeyUnknown, match="tieout keys list"):
        tieout("rotate", "zzz")
    assert "The old key" in tieout("rotate", new["id"])[1]


def test_a_key_is_revoked_after_a_yes(tieout):
    made = tieout("create", "till", "--permission", "pos.*", "--json")[1]
    with pytest.raises(AgreementNeeded):
        tieout("revoke", made["id"])
    assert tieout("revoke", made["id"], "--dry-run")[0] == 10
    assert who(made["key"])
    code, said = tieout("revoke", made["id"], "--yes", "--json")
    assert (code, said["status"]) == (0, "revoked")
    with pytest.raises(NotSignedIn):
        who(made["key"])


def test_what_cannot_be_is_refused(tieout):
    with pytest.raises(UnknownPermission):
        tieout("create", "till", "--permission", "nothing.at.all")
    for tenant in ("*", "a b", "x" * 65):
        with pytest.raises(BadSetting, match="--tenant"):
            tieout("list", "--tenant", tenant)


def test_the_signing_secret_is_replaced_and_at_once_after_a_yes(tieout):
    assert tieout("rotate-signing", "--json") == (0, {"rotated": True, "secret_id": "1", "at_once": False})
    with pytest.raises(AgreementNeeded):
        tieout("rotate-signing", "--at-once")
    assert tieout("rotate-signing", "--at-once", "--dry-run", "--json") == (10, {"rotated": False})
    assert "2 signs access tokens" in tieout("rotate-signing", "--at-once", "--yes")[1]


def test_a_lost_key_of_the_installation_is_overcome_by_new_secrets(tieout, tmp_path):
    tieout("rotate-signing")
    (tmp_path / "data" / "secret.key").unlink()
    assert tieout("rotate-signing", "--at-once", "--yes")[0] == 0
