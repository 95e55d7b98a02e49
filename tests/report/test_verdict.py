from decimal import Decimal

from tests.report.builders import Run, a_clean_run, a_decision, a_full_run, check, delta, match, quarantined
from tieout.report.verdict import deltas_by_currency, rank_currencies, sort_decisions, tell_decisions, tell_verdict


def verdict_of(run, tmp_path):
    return " ".join(tell_verdict(run.write(tmp_path)))


def test_a_clean_run_ties_out(tmp_path):
    assert verdict_of(a_clean_run(), tmp_path) == "Every row of both sides corresponds, and every amount agrees."


def test_agreement_without_amounts_or_other_columns_is_called_no_more_than_it_is(tmp_path):
    summary = a_clean_run().write(tmp_path)
    without = {side: {**summary["plan"][side], "amount": []} for side in ("ours", "theirs")}
    columns = {**summary, "plan": {**summary["plan"], **without}}
    assert tell_verdict(columns) == [
        "Every row of both sides corresponds and agrees in memo; no amounts were compared."
    ]
    keys = {**summary, "plan": {**summary["plan"], **without, "compared": []}}
    assert tell_verdict(keys) == [
        "Only the keys were checked: every ref is on both sides. No amount or other column was compared."
    ]


def test_a_gap_within_the_tolerance_is_said(tmp_path):
    run = Run(matches=[match(1, 1)], totals={"EUR": ("10", "0.01")})
    assert "within the tolerance" in verdict_of(run, tmp_path)


def test_two_empty_sides_claim_nothing(tmp_path):
    assert verdict_of(Run(ours_rows=0, theirs_rows=0), tmp_path) == "Neither side has a row."


def test_the_gap_of_each_currency_is_said_with_its_direction(tmp_path):
    run = Run(deltas=[delta("missing", "5", currency="EUR"), delta("unexpected", "-7.5", currency="USD")])
    said = verdict_of(run, tmp_path)
    assert said == (
        "2 differences found. In EUR they report 5.00 less than we expected. "
        "In USD they report 7.50 more than we expected."
    )


def test_differences_that_cancel_out_are_not_called_agreement(tmp_path):
    run = Run(deltas=[delta("missing", "5"), delta("unexpected", "-5")])
    assert verdict_of(run, tmp_path).startswith("2 differences found. The totals agree all the same")


def test_differences_without_amounts_claim_no_totals(tmp_path):
    summary = Run(deltas=[delta("missing", "0")]).write(tmp_path)
    assert tell_verdict({**summary, "currencies": []}) == ["1 difference found.", "No amounts were compared."]


def test_what_waits_for_a_person_is_said(tmp_path):
    review = match(1, 1, outcome="review", confidence=0.6, **{"pass": "scored"})
    run = Run(matches=[review], quarantine=[quarantined(3), quarantined(4)], checks=[check("2", "1")])
    said = verdict_of(run, tmp_path)
    assert said.startswith("Every amount agrees.")
    assert said.endswith(
        "There is 1 match to review, 2 rows that could not be read and 1 failed check of a file on itself."
    )


def test_many_currencies_are_summed_up(tmp_path):
    run = Run(deltas=[delta("missing", "1", currency=code) for code in ("AAA", "BBB", "CCC", "DDD", "EEE")])
    assert verdict_of(run, tmp_path).endswith(
        "In CCC they report 1.00 less than we expected. 2 more currencies differ."
    )


def test_the_currency_with_most_differences_comes_first_and_agreeing_ones_are_left_out(tmp_path):
    summary = a_full_run().write(tmp_path)
    assert [item["currency"] for item in rank_currencies(summary)] == ["EUR", "USD"]
    assert deltas_by_currency(summary) == {"EUR": 9, "USD": 2}
    assert all(Decimal(item["difference"]) for item in rank_currencies(summary))


def test_the_least_sure_decision_comes_first(tmp_path):
    run = Run(
        decisions=[a_decision("b", confidence=0.9), a_decision("a", confidence=0.9), a_decision("c", confidence=0.2)]
    )
    assert [item["subject"] for item in sort_decisions(run.write(tmp_path))] == ["c", "a", "b"]


def test_how_many_pairs_a_reviewer_decided_is_said_and_nothing_where_none_did(tmp_path):
    summary = a_full_run().write(tmp_path)
    assert tell_decisions(summary) == ""
    none = {"accepted": 0, "rejected": 0, "left_aside": 0, "not_followed": 0, "relearned": False}
    assert tell_decisions({**summary, "review": {**summary["review"], **none}}) == ""
    some = {**none, "accepted": 1200, "left_aside": 2, "relearned": True}
    assert tell_decisions({**summary, "review": {**summary["review"], **some}}) == (
        "Pairs decided by a reviewer: 1,200 accepted, 2 left aside, for a row of it is not in the files."
        " The weights were learned anew with them."
    )
