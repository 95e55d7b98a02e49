"""Bundles of anything that was sealed: what they claim, what they prove and what they say they do not."""

import json
import shutil

import pytest

from tests.books.ads.builders import days
from tests.books.ads.proofs_world import FOURTH, THIRD, UNDERPAY, SealedWorld
from tieout.books.ads.evidence import KpiNotNamed, bundle_delta, bundle_kpi, bundle_leaf, list_sealed
from tieout.proofs.bundle import RowNotSealed
from tieout.proofs.desk import NothingSealed
from tieout.proofs.offline import verify as offline

LIMITS = "That the records are true"


@pytest.fixture(scope="module")
def shared(sealed_folder, tmp_path_factory):
    """A sealed month that no test changes."""
    folder = tmp_path_factory.mktemp("shared") / "world"
    shutil.copytree(sealed_folder, folder)
    made = SealedWorld(folder)
    yield made
    made.close()


def leaf_of(world, kind, find=None, day=THIRD):
    return list_sealed(world.workspace, day, kind=kind, find=find, limit=1).rows[0].leaf


def proven_of(report, words):
    return any(words in one for one in report.proven)


@pytest.mark.parametrize(
    ("kind", "find", "claim", "proven"),
    [
        ("delta", None, "underpay of 0.600001 USD (agg_underpay", "Its 2 parts add up to exactly 0.600001 USD"),
        ("delta_part", "unity", "that 0.500001 USD of win:2025-11-03", "(2 expected, 1 match, 1 reported)"),
        ("kpi", None, "as balance of 2025-11-03..2025-11-04 in USD: expected 1.750001, reported 1.15", "Its deltas"),
        ("match", "unity", "row 1 of unity's statement u1, 0.75 USD, answers to cell:2025-11-03|", "0.75 USD for two"),
        ("match", "unity", "(confidence 1.00, by day,network", "2 entries of ours that are shown with it come to 1.25"),
        ("expected", '"b"', "that 1.000001 USD were expected of unity for request b of 2025-11-03T11", "in 2 rows"),
        ("reported", "admob", "row 1 of admob's statement a1 says 0.40 USD for one, unit, US", "reported by admob"),
        ("sum", "unity", "the total expected of unity is 1.250001 USD in 2 rows", "The total is in that log"),
        ("day", None, "16 records for 2025-11-03, version 1", "The record of the day is in that log"),
    ],
)  # fmt: skip
def test_whatever_was_sealed_has_a_bundle_that_says_it_in_words(shared, kind, find, claim, proven):
    report = offline.verify_bundle(bundle_leaf(shared.workspace, leaf_of(shared, kind, find)))
    assert claim in report.claim
    assert proven_of(report, proven), report.proven
    assert any(LIMITS in one for one in report.not_proven)
    assert any("version 1 is the last one of 2025-11-03" in one for one in report.not_proven)


def test_each_record_of_a_day_has_a_bundle(shared):
    rows = list_sealed(shared.workspace, FOURTH, kind=None, find=None, limit=100).rows
    assert [row.leaf for row in rows] == list(range(17, 24))
    for row in rows:
        bundle = json.loads(bundle_leaf(shared.workspace, row.leaf))
        assert bundle["leaves"][bundle["claim"]]["record"] == row.record
        offline.verify_bundle(json.dumps(bundle, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n")


def test_figures_are_held_against_the_totals_and_deltas_they_are_made_of(shared):
    text = bundle_kpi(shared.workspace, "balance", THIRD)
    assert text == bundle_leaf(shared.workspace, leaf_of(shared, "kpi"))
    report = offline.verify_bundle(text)
    for words in (
        "What was expected, 1.750001 USD, is exactly the sum of the 2 totals shown; all 3 rows of the day are in",
        "What was reported, 1.15 USD, is exactly the sum of the 2 totals shown",
        "Its deltas, 0.600001, are exactly the sum of the 1 shown",
        "is exactly the deltas, what was tolerated and what is in review",
        "The rule of reconcile is the one shown",
    ):
        assert proven_of(report, words), words
    assert any("Which rows those totals are of" in one for one in report.not_proven)


def test_figures_without_their_totals_say_so(shared):
    report = offline.verify_bundle(bundle_kpi(shared.workspace, "balance", THIRD, max_rows=0))
    for words in (
        "That what was expected adds up: not all totals of the day are in the bundle",
        "That its deltas add up: those shown are 0.00, the figure 0.600001",
        "5 further rows",
    ):
        assert any(words in one for one in report.not_proven), words
    assert not proven_of(report, "exactly the sum")


def test_a_match_without_its_row_says_so(shared):
    report = offline.verify_bundle(bundle_leaf(shared.workspace, leaf_of(shared, "match"), max_rows=0))
    assert any("What that row says: its record is not in the bundle" in one for one in report.not_proven)


@pytest.mark.parametrize("kind", ["kpi", "match", "expected", "reported"])
def test_a_changed_record_of_any_kind_is_refused_and_named(shared, kind):
    leaf = leaf_of(shared, kind)
    text = bundle_leaf(shared.workspace, leaf)
    bundle = json.loads(text)
    record = bundle["leaves"][bundle["claim"]]["record"]
    place = record.index("_micros") + 10
    digit = next(at for at in range(place, len(record)) if record[at].isdigit())
    changed = record[:digit] + str((int(record[digit]) + 1) % 10) + record[digit + 1 :]
    bundle["leaves"][bundle["claim"]]["record"] = changed
    with pytest.raises(offline.Refused, match=rf"leaf {leaf} \({kind} .*it is not in the log that was signed"):
        offline.verify_bundle(json.dumps(bundle, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n")


def test_what_was_sealed_before_a_restatement_stays_provable(sealed):
    before = leaf_of(sealed, "kpi")
    sealed.restate()
    sealed.issue()
    old = offline.verify_bundle(bundle_leaf(sealed.workspace, before))
    new = offline.verify_bundle(bundle_kpi(sealed.workspace, "balance", THIRD))
    assert "reported 1.15, delta 0.600001" in old.claim
    assert "reported 1.25, delta 0.500001" in new.claim
    assert any("version 1 is the last one" in one for one in old.not_proven)
    assert any("version 2 is the last one" in one for one in new.not_proven)


def test_of_two_figures_of_a_name_one_has_to_be_named(sealed):
    sealed.judge(days("11-03", "11-05"))
    sealed.issue()
    with pytest.raises(KpiNotNamed, match=r"--leaf \d+ is of 2025-11-03..2025-11-04 USD; --leaf \d+ is of"):
        bundle_kpi(sealed.workspace, "balance", THIRD)
    rows = list_sealed(sealed.workspace, THIRD, kind="kpi", find="11-05", limit=9).rows
    report = offline.verify_bundle(bundle_leaf(sealed.workspace, rows[0].leaf))
    assert any(
        "That what was expected adds up: the totals of 2025-11-03 are 1.750001" in one for one in report.not_proven
    )


@pytest.mark.parametrize("leaf", [24, 25, 4711])
def test_a_leaf_that_is_of_no_day_has_no_bundle(shared, leaf):
    with pytest.raises(RowNotSealed, match=f"No day was sealed with a leaf {leaf}"):
        bundle_leaf(shared.workspace, leaf)


def test_what_was_not_sealed_is_told_with_what_was(shared):
    with pytest.raises(RowNotSealed, match="No figure margin was sealed with 2025-11-03; those that were: balance"):
        bundle_kpi(shared.workspace, "margin", THIRD)
    with pytest.raises(RowNotSealed, match="The day 2025-11-09 was not sealed"):
        bundle_kpi(shared.workspace, "balance", THIRD.replace(day=9))
    with pytest.raises(RowNotSealed, match="No row was sealed with 2025-11-03; kinds are day, delta"):
        list_sealed(shared.workspace, THIRD, kind="row", find=None, limit=1)
    with pytest.raises(RowNotSealed):
        bundle_delta(shared.workspace, UNDERPAY.replace("11-03", "13-33"))


def test_of_a_book_without_a_log_nothing_is_listed(unsealed):
    with pytest.raises(NothingSealed):
        list_sealed(unsealed.workspace, THIRD, kind=None, find=None, limit=1)


def test_records_are_found_by_what_they_say_and_not_by_whose_they_are(shared):
    found = list_sealed(shared.workspace, THIRD, kind=None, find="ADMOB", limit=2)
    assert (found.total, [row.kind for row in found.rows]) == (7, ["delta_part", "expected"])
    assert list_sealed(shared.workspace, THIRD, kind=None, find="default", limit=2).total == 0
