"""`tieout proofs`: what it prints and its exit codes; and what the other party does on a machine of its own."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from tests.books.ads.proofs_world import UNDERPAY, SealedWorld
from tieout.cli.app import build
from tieout.cli.proofs import ClaimRefused, DayRefused
from tieout.core.errors import TieoutError
from tieout.proofs.keys import NoSigningKey
from tieout.proofs.notes import parse_note
from tieout.proofs.sealing import MonthRefused
from tieout.proofs.tiles import LogDamaged
from tieout.proofs.witness import CosignatureRefused, HistoryRefused, HistoryUnreadable, WitnessKeyUnusable

MONTH = ("--month", "2025-11")


@pytest.fixture
def tieout(unsealed, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    app = build(lambda: unsealed.workspace)

    def invoke(*words):
        result = CliRunner().invoke(app, ["proofs", *words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout

    return invoke


def test_a_month_from_its_first_key_to_a_bundle_that_holds(tieout, tmp_path):
    with pytest.raises(NoSigningKey, match="tieout proofs keys rotate"):
        tieout("issue", *MONTH)
    assert "Key 1 signs from now on" in tieout("keys", "rotate")[1]
    code, said = tieout("issue", *MONTH, "--dry-run")
    assert code == 10
    assert "[VRA Proofs] 2025-11-03: would be sealed (dry-run)." in said
    code, said = tieout("issue", *MONTH)
    assert code == 0
    assert "Coverage: 6.66%" in said
    assert tieout("issue", *MONTH)[0] == 10, "there was nothing to do"
    assert tieout("verify", *MONTH)[0] == 0
    assert tieout("verify", "--day", "2025-11-03")[1] == "[VRA Verify] 2025-11-03: ok: 16 leaves.\n"
    assert tieout("verify", "--delta", UNDERPAY)[0] == 0
    assert tieout("verify", "--month", "2025-10") == (10, "[VRA Verify] 2025-10: not_found: Digest not found\n")
    code, said = tieout("bundle", UNDERPAY, "--out", "one.json")
    assert code == 0
    assert "python verify.py one.json" in said
    assert (tmp_path / "verify.py").exists()
    code, said = tieout("verify", "--bundle", "one.json", "--json")
    assert (code, json.loads(said)["status"]) == (0, "ok")
    text = (tmp_path / "one.json").read_text(encoding="utf-8")
    (tmp_path / "bad.json").write_text(text.replace("600001", "600002", 1), encoding="utf-8")
    code, said = tieout("verify", "--bundle", "bad.json")
    assert (code, said.startswith("refused: ")) == (10, True)


def test_figures_and_anything_that_is_listed_have_a_bundle(tieout, tmp_path):
    tieout("keys", "rotate")
    tieout("issue", "--day", "2025-11-03")
    code, said = tieout("list", "--day", "2025-11-03", "--kind", "match")
    assert code == 0
    assert said.startswith("leaf 7 (match unit_id=cell:2025-11-03|admob|one|unit|US|banner ")
    told = json.loads(tieout("list", "--day", "2025-11-03", "--find", "unity", "--limit", "1", "--json")[1])
    assert (told["total"], told["version"], [row["kind"] for row in told["rows"]]) == (8, 1, ["delta_part"])
    assert "7 more; --kind, --find" in tieout("list", "--day", "2025-11-03", "--find", "unity", "--limit", "1")[1]
    assert (
        tieout("list", "--day", "2025-11-03", "--find", "zz")[1]
        == "Nothing that says 'zz' was sealed with 2025-11-03.\n"
    )
    assert "proof-balance-2025-11-03.json" in tieout("bundle", "--kpi", "balance", "--day", "2025-11-03")[1]
    assert "proof-leaf-7.json" in tieout("bundle", "--leaf", "7")[1]
    for name, claim in (
        ("balance-2025-11-03", "published as balance of 2025"),
        ("leaf-7", "row 1 of admob's statement"),
    ):
        code, said = tieout("verify", "--bundle", f"proof-{name}.json")
        assert (code, claim in said) == (0, True)


@pytest.mark.parametrize(
    "words",
    [(), ("--kpi", "balance"), (UNDERPAY, "--leaf", "7"), ("--day", "2025-11-03"), (UNDERPAY, "--day", "2025-11-03")],
)
def test_a_bundle_is_of_one_thing(tieout, words):
    with pytest.raises(ClaimRefused, match="and one of them"):
        tieout("bundle", *words)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("issue",), DayRefused),
        (("issue", "--day", "2025-11-03", *MONTH), DayRefused),
        (("issue", "--day", "yesterday"), DayRefused),
        (("issue", "--month", "2025-1"), MonthRefused),
        (("verify", "--month", "11-2025"), MonthRefused),
        (("verify",), DayRefused),
    ],
)
def test_what_cannot_be_meant_is_refused_with_20(tieout, words, error):
    with pytest.raises(error) as raised:
        tieout(*words)
    assert raised.value.exit_code == 20


def test_a_day_that_nobody_judged_is_nothing_to_do(tieout):
    tieout("keys", "rotate")
    code, said = tieout("issue", "--day", "2025-11-09")
    assert (code, said) == (10, "[VRA Proofs] 2025-11-09: nothing to seal: no run has judged the day.\n")


def test_keys_are_listed_replaced_and_revoked(tieout):
    tieout("keys", "rotate")
    tieout("keys", "rotate")
    told = json.loads(tieout("keys", "list", "--json")[1])["keys"]
    assert [(one["number"], one["status"]) for one in told] == [(1, "verifies"), (2, "signs")]
    assert tieout("keys", "revoke", "1", "--why", "lost", "--dry-run")[0] == 10
    assert tieout("keys", "revoke", "1", "--why", "lost", "--yes")[0] == 0
    assert "revoked (lost)" in tieout("keys", "list")[1]


@pytest.fixture
def parties(tieout, unsealed, tmp_path):
    """A sealed day, and a counterparty with a key of its own that signed its checkpoint."""
    tieout("keys", "rotate")
    tieout("issue", "--day", "2025-11-03")
    [key] = json.loads(tieout("keys", "list", "--json")[1])["keys"]
    (tmp_path / "first.txt").write_text(tieout("checkpoint")[1], encoding="utf-8")
    public = tieout("countersign", "--new-key", "admob.example", "--key", "ad.key")[1].strip()
    signed = tieout("countersign", "first.txt", "--key", "ad.key", "--log-key", key["verifier_key"])[1]
    (tmp_path / "signed.txt").write_text(signed, encoding="utf-8")
    return public


def test_both_parties_sign_one_checkpoint_and_the_bundle_says_so(tieout, parties):
    assert tieout("checkpoint", "--add", "signed.txt", "--cosigner", parties)[1].startswith("1 countersignatures")
    assert tieout("checkpoint", "--add", "signed.txt", "--cosigner", parties)[1].startswith("0 countersignatures")
    assert len(parse_note(tieout("checkpoint")[1]).signatures) == 2
    tieout("bundle", UNDERPAY, "--out", "one.json")
    log_key = json.loads(tieout("checkpoint", "--json")[1])["keys"][0]
    said = tieout("verify", "--bundle", "one.json", "--key", log_key, "--key", parties)[1]
    assert "admob.example signed the same log" in said
    assert "no witness signed it" not in said


def test_a_log_is_signed_again_only_when_it_follows_on_what_was_seen(tieout, parties, tmp_path, unsealed):
    shutil.copytree(unsealed.desk.folder, tmp_path / "theirs")
    tieout("issue", "--day", "2025-11-04")
    (tmp_path / "second.txt").write_text(tieout("checkpoint")[1], encoding="utf-8")
    with pytest.raises(HistoryRefused, match="no proof shows"):
        tieout("countersign", "second.txt", "--key", "ad.key")
    (tmp_path / "proof.json").write_text(tieout("checkpoint", "--since", "17")[1], encoding="utf-8")
    assert tieout("countersign", "second.txt", "--key", "ad.key", "--proof", "proof.json")[0] == 0
    with pytest.raises(HistoryRefused, match="the log was cut"):
        tieout("countersign", "first.txt", "--key", "ad.key")
    code, said = tieout("compare", "theirs", str(unsealed.desk.folder))
    assert (code, "goes on where theirs ends" in said) == (0, True)
    assert tieout("compare", "first.txt", str(unsealed.desk.folder))[0] == 0
    code, said = tieout("compare", "first.txt", "second.txt")
    assert (code, said.startswith("Undecided")) == (10, True)


def test_two_histories_are_detected_and_the_first_row_that_differs_is_named(tieout, parties, tmp_path, unsealed):
    shutil.copytree(tmp_path / "world", tmp_path / "fork")
    forked = SealedWorld(tmp_path / "fork")
    forked.restate()
    forked.issue()
    tieout("issue", "--day", "2025-11-04")
    ours, theirs = str(unsealed.desk.folder), str(forked.desk.folder)
    forked.close()
    code, said = tieout("compare", ours, theirs)
    assert code == 10
    assert "Two histories" in said
    assert "The first leaf that differs is 17" in said
    told = json.loads(tieout("compare", ours, theirs, "--json")[1])
    assert (told["relation"], told["leaf"]) == ("differ", 17)
    assert told["row"]


def test_what_is_no_history_or_a_damaged_one_is_told(tieout, parties, tmp_path, unsealed):
    with pytest.raises(HistoryUnreadable):
        tieout("compare", "first.txt", "ad.key")
    shutil.copytree(unsealed.desk.folder, tmp_path / "bad")
    [tile] = [path for path in (tmp_path / "bad" / "tile" / "0").rglob("*") if path.is_file()]
    tile.write_bytes(tile.read_bytes()[:-1] + b"\0")
    with pytest.raises(LogDamaged, match="leaves"):
        tieout("compare", "first.txt", "bad")


def test_a_key_is_never_replaced_and_a_strange_checkpoint_not_added(tieout, parties, tmp_path):
    with pytest.raises(WitnessKeyUnusable, match="does not exist yet"):
        tieout("countersign", "--new-key", "x.example", "--key", "ad.key")
    assert (tmp_path / "ad.key").stat().st_mode & 0o077 == 0
    with pytest.raises(WitnessKeyUnusable):
        tieout("countersign", "first.txt", "--key", "first.txt")
    text = (tmp_path / "signed.txt").read_text(encoding="utf-8")
    (tmp_path / "other.txt").write_text(text.replace("default/ads", "other/ads", 1), encoding="utf-8")
    with pytest.raises(CosignatureRefused):
        tieout("checkpoint", "--add", "other.txt", "--cosigner", parties)
    with pytest.raises(TieoutError):
        tieout("checkpoint", "--add", "first.txt", "--cosigner", parties)
