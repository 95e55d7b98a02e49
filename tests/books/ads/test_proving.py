from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
import rfc8785
from sqlalchemy import update

from tests.books.ads.proofs_world import ACTOR, FOURTH, THIRD, UNDERPAY, SealedWorld
from tieout.books.ads.day_records import day_records
from tieout.books.ads.evidence import bundle_delta, verify_delta
from tieout.books.ads.proving import ProofsNotAvailable, keys_of, prove_month, verify_day, verify_month
from tieout.proofs import merkle
from tieout.proofs.bundle import RowNotSealed
from tieout.proofs.desk import SealedFileDamaged, content_of
from tieout.proofs.keys import NoSigningKey
from tieout.proofs.leaves import salt_of
from tieout.proofs.notes import SignatureInvalid
from tieout.proofs.offline import verify as offline
from tieout.proofs.sealing import LogAheadOfState, MonthRefused, issue_day
from tieout.proofs.verifying import verify_day as hold_day
from tieout.proofs.witness import row_of
from tieout.store.tables import proofs_daily_roots, proofs_monthly_digest

VERIFIER = Path(offline.__file__)


@pytest.fixture(scope="module")
def bundle(sealed_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "world"
    shutil.copytree(sealed_folder, folder)
    made = SealedWorld(folder)
    yield bundle_delta(made.workspace, UNDERPAY)
    made.close()


def test_a_month_is_sealed_once_and_verifies(sealed):
    again = sealed.issue_month()
    assert (again.outcome, [one.outcome for one in again.days]) == ("unchanged", ["unchanged"] * 2)
    assert again.coverage_bp == 2 * 10_000 // 30
    assert sealed.desk.find_month("2025-11").notes.startswith(
        "2 of 30 days; missing 2025-11-01, 2025-11-02, 2025-11-05"
    )
    found = verify_month(sealed.workspace, "2025-11")
    assert (found.status, found.is_compared) == ("ok", True)
    assert verify_delta(sealed.workspace, UNDERPAY).is_ok


def test_what_a_day_is_sealed_with(sealed):
    found = sealed.desk.find_day(THIRD)
    assert found.counts == {
        "delta": 1, "delta_part": 2, "expected": 3, "kpi": 1, "match": 2, "reported": 2, "sum": 5
    }  # fmt: skip
    table = sealed.desk.read_leaves(found.first_leaf).to_pylist()
    blinding = sealed.desk.identity().blinding
    for row in table:
        told = json.loads(row["record"])
        assert rfc8785.dumps(told).decode() == row["record"]
        assert told["salt"] == salt_of(blinding, row["kind"], row["key"])
    sums = {one["key"]: json.loads(one["record"])["content"] for one in table if one["kind"] == "sum"}
    assert sums["expected\nunity\nUSD"]["credit_micros"] == "1250001"
    assert sums["reported\nadmob\nUSD"]["credit_micros"] == "400000"
    assert sums[f"delta\n{UNDERPAY}\nUSD"]["credit_micros"] == "600001"
    last = content_of(sealed.desk.last_of(found.first_leaf))
    assert [run["leg"] for run in last["runs"]] == ["expected", "match", "reconcile", "statements", "statements"]


def test_without_a_key_nothing_is_written(unsealed):
    with pytest.raises(NoSigningKey):
        unsealed.issue()
    with pytest.raises(ProofsNotAvailable):
        prove_month(unsealed.workspace, THIRD, is_dry_run=False)
    assert not unsealed.desk.folder.exists()
    assert unsealed.desk.find_day(THIRD) is None


def test_a_dry_run_says_the_counts_and_stores_nothing(unsealed):
    told = unsealed.issue_month(is_dry_run=True)
    assert (told.outcome, [one.outcome for one in told.days]) == ("would_issue", ["would_issue"] * 2)
    with pytest.raises(ProofsNotAvailable):  # what nobody can sign would not be sealed
        prove_month(unsealed.workspace, THIRD, is_dry_run=True)
    unsealed.rotate()
    assert prove_month(unsealed.workspace, THIRD, is_dry_run=True) == {"days": 2, "sealed": 2, "leaves": 22}
    assert unsealed.desk.find_identity() is None


def test_a_day_that_nobody_judged_is_not_sealed(sealed):
    assert sealed.issue(date(2025, 11, 5)).outcome == "nothing"
    assert verify_day(sealed.workspace, date(2025, 11, 5)).status == "not_found"
    assert verify_month(sealed.workspace, "2025-12").status == "not_found"
    with pytest.raises(MonthRefused, match="Invalid month format. Use YYYY-MM."):
        verify_month(sealed.workspace, "2025-13")


def test_a_restatement_appends_and_the_old_log_is_its_beginning(sealed):
    old, was = sealed.desk.log(), bundle_delta(sealed.workspace, UNDERPAY)
    sealed.restate()
    found = verify_day(sealed.workspace, THIRD)
    assert found.status == "digest_mismatch"
    assert "delta" in found.why
    assert "issue the day once more" in found.why
    issued = sealed.issue()
    assert (issued.outcome, issued.version, issued.first_leaf) == ("issued", 2, old.size)
    new = sealed.desk.log()
    assert merkle.is_consistent(old.size, new.size, new.consistency(old.size), old.root(), new.root())
    assert verify_day(sealed.workspace, THIRD).is_ok
    assert "was sealed since" in verify_month(sealed.workspace, "2025-11").why
    assert sealed.issue_month().outcome == "issued"
    assert verify_month(sealed.workspace, "2025-11").is_ok
    assert sealed.desk.find_month("2025-11").version == 2
    assert offline.verify_bundle(was).claim, "what was proven stays proven"


def test_what_retention_let_go_of_still_verifies(sealed):
    def gone(_day):
        return None

    found = hold_day(sealed.desk, THIRD, gone)
    assert (found.status, found.is_compared) == ("ok", False)


class Died(Exception):
    """Stands for kill -9."""


@pytest.mark.parametrize("point", ["records_written", "appended", "checkpoint_published", "recorded"])
def test_a_seal_that_died_at_any_point_is_finished_by_the_next(unsealed, point):
    unsealed.rotate()

    def die(at):
        if at == point:
            raise Died

    with pytest.raises(Died):
        issue_day(unsealed.desk, day_records(unsealed.workspace, THIRD), at=die)
    issued = unsealed.issue()
    assert issued.outcome == ("issued" if point in ("records_written", "appended") else "unchanged")
    assert verify_day(unsealed.workspace, THIRD).is_ok
    assert unsealed.desk.log().size == unsealed.desk.known_size()
    assert unsealed.issue(FOURTH).first_leaf == issued.first_leaf + sum(issued.counts.values()) + 1


def test_a_log_whose_records_are_lost_is_not_written_on(unsealed):
    unsealed.rotate()

    def die(at):
        if at == "checkpoint_published":
            raise Died

    with pytest.raises(Died):
        issue_day(unsealed.desk, day_records(unsealed.workspace, THIRD), at=die)
    unsealed.desk.leaf_file(0).unlink()
    with pytest.raises(LogAheadOfState):
        unsealed.issue()


def test_a_log_that_was_changed_is_not_signed(sealed):
    path = sealed.desk.folder / "checkpoint"
    changed = path.read_text(encoding="utf-8").replace("\n25\n", "\n24\n")
    path.write_text(changed, encoding="utf-8")
    with pytest.raises(SignatureInvalid):
        sealed.issue()


def test_a_log_that_was_put_back_is_not_written_on(sealed):
    (sealed.desk.folder / "checkpoint").unlink()
    with pytest.raises(LogAheadOfState, match="put back or cut"):
        sealed.issue()


def test_any_flipped_byte_of_a_stored_file_is_detected_and_named(sealed):
    chosen = random.Random(7)
    files = sorted(path for path in sealed.desk.folder.rglob("*") if path.is_file() and path.stat().st_size)
    assert {path.name for path in files} >= {"checkpoint", "000000000000.parquet"}
    for path in files:
        good = path.read_bytes()
        for place in {len(good) - 1, *(chosen.randrange(len(good)) for _ in range(2))}:
            path.write_bytes(good[:place] + bytes([good[place] ^ 1 << chosen.randrange(8)]) + good[place + 1 :])
            found = verify_month(sealed.workspace, "2025-11")
            assert found.status in ("digest_mismatch", "signature_invalid_or_missing"), (path, place)
            assert found.why
        path.write_bytes(good)
    assert verify_month(sealed.workspace, "2025-11").is_ok


def test_a_file_of_records_with_any_byte_changed_is_read_or_called_damaged(sealed):
    first = sealed.desk.find_month("2025-11").leaf
    path = sealed.desk.leaf_file(first)
    good, refused = path.read_bytes(), 0
    for place in range(0, len(good), 2):
        path.write_bytes(good[:place] + bytes([good[place] ^ 0x80]) + good[place + 1 :])
        try:
            sealed.desk.last_of(first)
            row_of(sealed.desk.folder, first)
        except SealedFileDamaged as error:
            refused += 1
            assert str(path) in str(error)
    assert refused > len(good) / 20


@pytest.mark.parametrize(
    ("table", "changed"),
    [
        (proofs_daily_roots, {"merkle_root": "0" * 64}),
        (proofs_daily_roots, {"leaf_count": 3}),
        (proofs_daily_roots, {"counts": {"delta": 9}}),
        (proofs_daily_roots, {"sig": "x\n\n— y AAAAAAA=\n"}),
        (proofs_daily_roots, {"version": 5}),
        (proofs_daily_roots, {"day": "2025-11-04"}),
        (proofs_monthly_digest, {"digest": "0" * 64}),
        (proofs_monthly_digest, {"day_leaves": [1, 2]}),
        (proofs_monthly_digest, {"coverage_bp": 10_000}),
        (proofs_monthly_digest, {"notes": "30 of 30 days"}),
    ],
)
def test_a_changed_row_of_the_state_is_detected(sealed, table, changed):
    is_third = [table.c.day == "2025-11-03"] if table is proofs_daily_roots else []
    sealed.workspace.store.state.write(lambda one: one.execute(update(table).where(*is_third).values(**changed)))
    assert verify_month(sealed.workspace, "2025-11").status in ("digest_mismatch", "signature_invalid_or_missing")


def test_what_a_revoked_key_signed_holds_no_more_until_it_is_signed_anew(sealed):
    keys = keys_of(sealed.workspace)
    sealed.rotate()
    assert verify_month(sealed.workspace, "2025-11").is_ok, "a key that was replaced still verifies"
    keys.revoke(1, "lost", ACTOR)
    assert verify_month(sealed.workspace, "2025-11").status == "signature_invalid_or_missing"
    sealed.issue_month()
    assert verify_month(sealed.workspace, "2025-11").is_ok


def test_a_bundle_verifies_where_there_is_nothing_but_python_and_one_file(bundle, tmp_path):
    shutil.copy(VERIFIER, tmp_path / "verify.py")
    (tmp_path / "bundle.json").write_text(bundle, encoding="utf-8")

    def verify(name):
        words = [sys.executable, "-I", "-S", "verify.py", name]
        done = subprocess.run(words, cwd=tmp_path, env={}, capture_output=True, check=False)
        return done.returncode, done.stdout.decode()

    code, said = verify("bundle.json")
    assert code == 0
    assert "underpay of 0.600001 USD" in said
    assert "Its 2 parts add up to exactly 0.600001 USD" in said
    assert "The total expected of unity that day is 1.250001 USD in 2 rows" in said
    assert "Not proven:" in said
    (tmp_path / "bad.json").write_text(
        bundle.replace('\\"reported_micros\\":\\"400000\\"', '\\"reported_micros\\":\\"500000\\"')
    )
    code, said = verify("bad.json")
    assert code == 1
    assert said.startswith("REFUSED: leaf ")
    assert "network=admob" in said
    assert verify("missing.json")[0] == 2


def test_any_flipped_byte_of_a_bundle_is_refused(bundle):
    chosen, good = random.Random(3), bundle.encode()
    for place in (chosen.randrange(len(good)) for _ in range(80)):
        bad = good[:place] + bytes([good[place] ^ 1 << chosen.randrange(8)]) + good[place + 1 :]
        with pytest.raises((offline.Refused, UnicodeDecodeError)):
            offline.verify_bundle(bad.decode())


def test_a_bundle_is_held_against_a_key_from_elsewhere(bundle):
    [key] = json.loads(bundle)["keys"]
    assert not any("Whose the key" in one for one in offline.verify_bundle(bundle, [key]).not_proven)
    other = "tieout.invalid/default/ads+" + offline.parse_verifier_key(key).key_id.hex() + "+" + "A" * 44
    with pytest.raises(offline.Refused):
        offline.verify_bundle(bundle, [other])


def test_a_bundle_says_what_it_leaves_out(sealed):
    told = offline.verify_bundle(bundle_delta(sealed.workspace, UNDERPAY, max_parts=1, max_rows=0))
    assert any("Its 2 parts add up to exactly 0.600001 USD; the 1 shown" in one for one in told.proven)
    assert any("1 further parts" in one for one in told.not_proven)


def test_a_delta_that_is_not_sealed_has_no_bundle(sealed):
    for evidence in ("win:2025-11-05T00:00:00Z..2025-11-06T00:00:00Z:underpay", f"{UNDERPAY}:x", "nonsense"):
        with pytest.raises(RowNotSealed):
            bundle_delta(sealed.workspace, evidence)
        assert verify_delta(sealed.workspace, evidence).status == "not_found"


def test_two_tenants_have_logs_of_their_own(sealed, tmp_path):
    other = SealedWorld(sealed.folder, tenant="other")
    assert other.desk.find_identity() is None
    assert other.desk.folder != sealed.desk.folder
    other.close()
