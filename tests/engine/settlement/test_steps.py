"""Payments applied within a run: matches, deltas that say what is left, nothing lost, sums that hold."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.engine.builders import Result, run, settling_plan, table

OURS = """
unit | text | day | currency | amount
INV-001 | Elm Trading Ltd | 2026-01-05 | EUR | 100
INV-002 | Elm Trading Ltd | 2026-01-08 | EUR | 50
INV-003 | Oak Furniture Inc | 2026-01-09 | EUR | 200
INV-004 | Oak Furniture Inc | 2026-01-12 | EUR | 80
INV-005 | Ash Metal Works | 2026-01-14 | EUR | 60
"""
THEIRS = """
unit | text | day | currency | amount
P-1 | ELM TRADING | 2026-02-05 | EUR | 150
P-2 | Oak Furn | 2026-02-06 | EUR | 196
P-3 | OFI | 2026-02-07 | EUR | 90
P-4 | OFI | 2026-02-09 | EUR | 90
P-5 | Ash Metal | 2026-02-11 | EUR | 20
"""
ADVICE = """
group | id | amount | text
P-1 | INV-001 | 100 | -
P-1 | Invoice 2 | 50 | -
P-2 | INV-003 | 196 | 2% early payment
P-3 | INV-040 | 90 | on account
P-4 | INV-004 | 90 | -
P-5 | INV-005 | 20 | progress payment
P-9 | INV-001 | 5 | -
"""


def settled(ours: str = OURS, theirs: str = THEIRS, advice: str | None = ADVICE, **rules: Any) -> Result:
    left, right = table(ours), table(theirs)
    lines = table(advice) if advice else None
    plan = settling_plan(left, right, lines, window_days=60, **rules)
    return run(left, right, plan, advice=lines)


def test_applications_say_how_much_of_which_payment_settles_what() -> None:
    found = settled().facts["application"]
    assert [(a["ours_row"], a["theirs_row"], a["applied_micros"] // 10**6, a["kind"], a["outcome"]) for a in found] == [
        (1, 1, 100, "full", "auto"),
        (2, 1, 50, "full", "auto"),
        (3, 2, 196, "discount", "auto"),
        (4, 3, 80, "over_payment", "auto"),
        (5, 5, 20, "partial", "auto"),
    ]


def test_matches_have_one_line_an_application_and_one_name_a_group() -> None:
    found = settled().facts["match"]
    assert {m["pass"] for m in found} == {"settlement"}
    assert [(m["match_id"], m["ours_row"], m["theirs_row"]) for m in found] == [
        (1, 1, 1),
        (1, 2, 1),
        (3, 3, 2),
        (4, 4, 3),
        (5, 5, 5),
    ]


def test_each_gap_is_a_delta_whose_reason_says_what_it_is() -> None:
    found = settled().facts["delta"]
    assert {(d["reason_code"], d["kind"], d["amount_micros"] // 10**6) for d in found} == {
        ("discount", "underpay", 4),
        ("partial_payment", "underpay", 40),
        ("over_payment", "overpay", -10),
        ("duplicate_payment", "duplicate", -90),
    }


def test_expected_less_reported_is_the_sum_of_the_parts() -> None:
    (balance,) = settled().facts["balance"]
    difference = balance["expected_micros"] - balance["reported_micros"]
    assert difference == Decimal(490 - 546) * 10**6
    parts = {name: micros for name, micros in balance.items() if name.endswith("_micros")}
    totals = sum(parts[f"{name}_micros"] for name in ("expected", "reported", "delta"))
    assert sum(parts.values()) - totals == difference


def test_a_tolerated_gap_is_no_delta_and_stays_in_the_sum() -> None:
    result = settled(tolerance="10")
    assert "discount" not in {d["reason_code"] for d in result.facts["delta"]}
    assert result.facts["balance"][0]["tolerated_micros"] != 0


def test_lines_that_could_not_be_followed_are_quarantined_with_their_line() -> None:
    found = settled().facts["quarantine"]
    assert [(q["side"], q["row_no"], q["column"], q["reason_code"]) for q in found] == [
        ("advice", 7, "group", "payment_unknown")
    ]
    refused = settled(advice="group | id | amount\nP-1 | INV-003 | 150").facts["quarantine"]
    assert [(q["row_no"], q["column"], q["reason_code"]) for q in refused] == [(1, "id", "advice_not_followed")]
    assert "party and amount" in refused[0]["reason"]


def test_a_payment_that_is_not_applied_says_why_among_the_unmatched() -> None:
    (left,) = settled().facts["unmatched_theirs"]
    assert left["reason_code"] == "duplicate"
    assert "repeats row 3" in left["searched"]


def test_without_advice_only_what_is_unique_is_settled() -> None:
    result = settled(advice=None)
    found = [(a["ours_row"], a["theirs_row"], a["verdict"]) for a in result.facts["application"] if a["ours_row"] < 3]
    assert found == [(1, 1, "unique"), (2, 1, "unique")]
    outcomes = {m["pass"] for m in result.facts["match"] if m["ours_row"] < 3}
    assert outcomes == {"settlement"}


def test_a_reference_on_both_sides_comes_before_advice() -> None:
    left, right = (
        table("id | amount | text | unit\nA | 5 | Elm | I-1\n- | 7 | Elm | I-2"),
        table("id | amount | text | unit\nA | 5 | Elm | P-1\n- | 7 | Elm | P-2"),
    )
    lines = table("id | group | amount\nI-1 | P-1 | 5\nI-2 | P-2 | 7")
    result = run(left, right, settling_plan(left, right, lines), advice=lines)
    assert [(m["ours_row"], m["pass"]) for m in result.facts["match"]] == [(1, "reference"), (2, "settlement")]


def test_chains_of_payments_and_invoices_are_one_group() -> None:
    ours = "unit | text | amount\nI-1 | Elm | 100\nI-2 | Elm | 50\nI-3 | Oak | 9"
    theirs = "unit | text | amount\nP-1 | Elm | 120\nP-2 | Elm | 30\nP-3 | Oak | 9"
    advice = "group | id | amount\nP-1 | I-1 | 100\nP-1 | I-2 | 20\nP-2 | I-2 | 30\nP-3 | I-3 | 9"
    result = settled(ours, theirs, advice)
    assert [(m["match_id"], m["ours_row"], m["theirs_row"]) for m in result.facts["match"]] == [
        (1, 1, 1),
        (1, 2, 1),
        (1, 2, 2),
        (3, 3, 3),
    ]
    assert result.facts["delta"] == []
