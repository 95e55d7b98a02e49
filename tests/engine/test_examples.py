"""Cases that an accountant would name, each small enough to check in the head."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine.builders import Result, Row, Side, plan_for, reconcile, run, table
from tieout.core.money import MAX_MICROS, to_micros
from tieout.engine.plan import Weights
from tieout.engine.steps import AmountsTooLarge

ONLY_TEXT = Weights(time=0, amount=0, unit=0, text=1)


def _pairs(result: Result) -> list[tuple[int, int]]:
    return [(row["ours_row"], row["theirs_row"]) for row in result.facts["match"]]


def _deltas(result: Result) -> list[tuple[str, str | None, str]]:
    return result.lines("delta", "kind", "amount", "reason_code")


def _parts(result: Result) -> dict[str, str]:
    """Return the parts, those that are not zero, of a run's only delta."""
    (delta,) = result.facts["delta"]
    names = [name.removesuffix("_micros") for name in delta if name.endswith("_micros") and "amount" not in name]
    (values,) = result.lines("delta", *names)
    return {name: value for name, value in zip(names, values, strict=True) if value != "0"}


# References


def test_a_payment_that_came_in_three_parts_ties_out_as_a_group() -> None:
    result = reconcile(
        """
        id  | day        | amount
        INV | 2026-01-05 | 100.00
        """,
        """
        id  | day        | amount
        INV | 2026-01-06 | 50.00
        INV | 2026-01-07 | 30.00
        INV | 2026-01-08 | 20.00
        """,
    )
    assert result.lines("match", "match_id", "ours_row", "theirs_row", "pass") == [
        (1, 1, 1, "group"),
        (1, 1, 2, "group"),
        (1, 1, 3, "group"),
    ]
    assert result.summary["result"] == "ties_out"


def test_parts_by_reference_tie_out_although_the_plan_groups_by_something_else() -> None:
    result = reconcile(
        """
        id  | group | amount
        INV | -     | 100.00
        X   | P1    | 7.00
        """,
        """
        id  | group | amount
        INV | -     | 60.00
        INV | -     | 40.00
        Y   | P1    | 7.00
        """,
    )
    assert _pairs(result) == [(1, 1), (1, 2), (2, 3)]
    assert _deltas(result) == []


def test_parts_that_do_not_sum_are_paired_and_the_rest_is_unexpected() -> None:
    result = reconcile(
        """
        id  | amount
        INV | 100.00
        """,
        """
        id  | amount
        INV | 50.00
        INV | 49.99
        """,
    )
    assert _pairs(result) == [(1, 1)]
    assert _deltas(result) == [("underpay", "50", "amount_differs"), ("unexpected", "-49.99", "not_expected")]


def test_each_currency_behind_a_reference_is_settled_for_itself() -> None:
    """The dollars come in two parts, the euros are a cent short: neither is held against the other."""
    result = reconcile(
        """
        id  | currency | amount
        INV | EUR      | 5.00
        INV | USD      | 7.00
        """,
        """
        id  | currency | amount
        INV | USD      | 3.00
        INV | USD      | 4.00
        INV | EUR      | 4.99
        """,
    )
    assert _pairs(result) == [(1, 3), (2, 1), (2, 2)]
    assert _deltas(result) == [("underpay", "0.01", "amount_differs")]


def test_a_row_meets_its_own_currency_before_another() -> None:
    result = reconcile(
        """
        id  | currency | amount
        INV | EUR      | 5.00
        INV | USD      | 7.00
        """,
        """
        id  | currency | amount
        INV | USD      | 8.00
        """,
    )
    assert _pairs(result) == [(2, 1)]
    assert _deltas(result) == [("missing", "5", "not_reported"), ("overpay", "-1", "amount_differs")]


def test_a_duplicate_sent_twice_is_found_and_not_multiplied() -> None:
    result = reconcile(
        """
        id | amount
        A  | 10.00
        B  | 20.00
        """,
        """
        id | amount
        A  | 10.00
        A  | 10.00
        B  | 20.00
        """,
    )
    assert _pairs(result) == [(1, 1), (2, 3)]
    assert _deltas(result) == [("duplicate", "-10", "copy_on_their_side")]
    assert result.summary["theirs"]["duplicates"] == 1


def test_a_duplicate_of_a_row_that_matched_by_likeness_is_a_duplicate() -> None:
    result = reconcile(
        """
        id | day        | amount
        A  | 2026-01-05 | 10.00
        A  | 2026-01-05 | 10.00
        """,
        """
        id | day        | amount
        -  | 2026-01-05 | 10.00
        """,
    )
    assert _pairs(result) == [(1, 1)]
    assert _deltas(result) == [("duplicate", "10", "copy_on_our_side")]


def test_a_duplicate_of_a_row_that_matched_by_group_is_a_duplicate() -> None:
    result = reconcile(
        """
        id | group | amount
        A  | P1    | 10.00
        A  | -     | 10.00
        """,
        """
        id | group | amount
        -  | P1    | 10.00
        """,
    )
    assert _deltas(result) == [("duplicate", "10", "copy_on_our_side")]


@pytest.mark.parametrize("is_swapped", [False, True])
def test_which_of_two_lone_copies_is_the_copy_does_not_depend_on_the_file(is_swapped: bool) -> None:  # noqa: FBT001
    rows = ["A | 2026-01-05 | 10.00", "A | 2026-01-09 | 10.00"]
    ours = "\n".join(["id | day | amount", *(reversed(rows) if is_swapped else rows)])
    result = reconcile(ours, "id | day | amount\nB | 2026-01-09 | 3.00")
    days = {row["reason_code"]: row["day"].isoformat() for row in result.facts["unmatched_ours"]}
    assert days == {"missing": "2026-01-05", "duplicate": "2026-01-09"}


@pytest.mark.parametrize("is_swapped", [False, True])
def test_which_row_of_a_reference_takes_the_shortfall_does_not_depend_on_the_file(is_swapped: bool) -> None:  # noqa: FBT001
    rows = ["A | 10.00 | 1.00", "A | 10.00 | 2.00"]
    ours = "\n".join(["id | amount | fee", *(reversed(rows) if is_swapped else rows)])
    result = reconcile(ours, "id | amount | fee\nA | 9.00 | 2.00\nA | 8.00 | 2.00")
    assert result.lines("delta", "amount", "fee", "unexplained") == [("1", "1", "0"), ("2", "0", "2")]


@pytest.mark.parametrize("is_swapped", [False, True])
def test_behind_a_reference_equal_amounts_meet_first_and_then_the_nearest(is_swapped: bool) -> None:  # noqa: FBT001
    """The 10.00 is left over: in order of amount it would have taken the 19.99, and the 20.00 the 35.00."""
    ours = ["A | 10.00", "A | 20.00", "A | 30.00", "A | 40.00"]
    theirs = ["A | 19.99", "A | 35.00", "A | 30.00"]
    if is_swapped:
        ours, theirs = ours[::-1], theirs[::-1]
    result = reconcile("\n".join(["id | amount", *ours]), "\n".join(["id | amount", *theirs]))
    assert result.lines("delta", "ours_amount", "theirs_amount") == [
        ("10", None),
        ("20", "19.99"),
        ("40", "35"),
    ]


def test_of_two_amounts_as_near_the_lower_meets_first() -> None:
    result = reconcile("id | amount\nA | 11.00\nA | 40.00", "id | amount\nA | 12.00\nA | 10.00\nA | 41.00")
    assert result.lines("delta", "ours_amount", "theirs_amount") == [("11", "10"), ("40", "41"), (None, "12")]


def test_a_chain_of_ever_larger_gaps_is_paired_link_by_link() -> None:
    """Each pair is the nearest only when the one before it is gone."""
    places = [n * (n + 1) // 2 for n in range(60)]
    ours = Side(tuple(Row(id="A", amount=place) for place in places[0::2]), ("id", "amount"))
    theirs = Side(tuple(Row(id="A", amount=place) for place in places[1::2]), ("id", "amount"))
    assert _pairs(run(ours, theirs, plan_for(ours, theirs))) == [(n, n) for n in range(1, 31)]


def test_an_absent_amount_waits_until_the_nearest_amounts_have_met() -> None:
    result = reconcile("id | amount\nA | 10.00\nA | -", "id | amount\nA | -\nA | 25.00\nA | 12.00")
    assert _pairs(result) == [(1, 3), (2, 1)]


def test_a_reference_matches_whatever_the_day() -> None:
    result = reconcile("id | day | amount\nA | 2026-01-05 | 10.00", "id | day | amount\nA | 2027-06-01 | 10.00")
    assert result.summary["result"] == "ties_out"


# Groups


def test_a_payout_against_its_parts_differs_by_the_fee_that_it_states() -> None:
    result = reconcile(
        """
        group | day        | amount
        P1    | 2026-01-05 | 60.00
        P1    | 2026-01-05 | 40.00
        """,
        """
        group | day        | amount | fee
        P1    | 2026-01-07 | 97.00  | 3.00
        """,
    )
    assert _pairs(result) == [(1, 1), (2, 1)]
    assert _deltas(result) == [("underpay", "3", "group_sum_differs")]
    assert _parts(result) == {"fee": "3"}


def test_a_group_with_an_absent_amount_is_never_silent() -> None:
    result = reconcile(
        """
        group | amount
        P1    | 10.00
        P1    | -
        """,
        """
        group | amount
        P1    | 10.00
        """,
    )
    assert _deltas(result) == [("value_mismatch", "0", "group_sum_incomplete")]
    assert result.summary["result"] == "differences"


# Prices, fees and rates


def test_a_gap_splits_into_quantity_at_our_price_and_price() -> None:
    """Ours: 10 at 2.00. Theirs: 8 at 1.90."""
    result = reconcile("id | amount | quantity\nA | 20.00 | 10", "id | amount | quantity\nA | 15.20 | 8")
    assert _deltas(result) == [("underpay", "4.8", "amount_differs")]
    assert _parts(result) == {"volume": "4", "rate": "0.8"}


def test_a_gap_splits_into_fee_and_rate_of_exchange() -> None:
    """Ours: 100 at 1.25 is 125.00. Theirs: at 1.20 is 120.00, less a fee of 2.00."""
    result = reconcile("id | amount | fx\nA | 125.00 | 1.25", "id | amount | fx | fee\nA | 118.00 | 1.20 | 2.00")
    assert _parts(result) == {"fee": "2", "fx": "5"}


def test_a_fee_that_brings_the_amounts_no_nearer_explains_nothing() -> None:
    result = reconcile("id | amount | fee\nA | 10.00 | 0", "id | amount | fee\nA | 9.00 | 2.00")
    assert _parts(result) == {"unexplained": "1"}


def test_where_only_ours_was_converted_the_gap_is_the_rate_and_no_quantity_is_made_up() -> None:
    result = reconcile(
        "id | amount | quantity | fx\nA | 125.00 | 10 | 1.25",
        "id | amount | quantity\nA | 120.00 | 8",
        converts=["ours"],
    )
    assert _parts(result) == {"fx": "36.25"}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("id | amount | fx\nA | 1000000000 | 0.0067", "id | amount | fx\nA | 999999999 | 149.25"),
        ("id | amount | quantity\nA | 1000000 | 0.000001", "id | amount | quantity\nA | 999999 | 9999999"),
    ],
    ids=["a rate and its inverse", "a quantity near zero"],
)
def test_a_part_too_large_to_believe_is_left_out_and_the_sum_still_holds(ours: str, theirs: str) -> None:
    result = reconcile(ours, theirs)
    assert _deltas(result) == [("underpay", "1", "amount_differs")]
    assert sum(float(part) for part in _parts(result).values()) == 1


def test_an_equal_amount_needs_no_explanation_by_quantity() -> None:
    result = reconcile("id | amount | quantity\nA | 20.00 | 10", "id | amount | quantity\nA | 20.00 | 8")
    assert _deltas(result) == []


# Currencies


def test_a_pair_in_two_currencies_stands_in_each() -> None:
    result = reconcile(
        "id | currency | amount\nA | EUR | 10.00",
        "id | currency | amount\nA | USD | 11.00",
    )
    assert result.lines("delta", "kind", "currency", "amount", "unexplained") == [
        ("currency_mismatch", "EUR", "10", "10"),
        ("currency_mismatch", "USD", "-11", "-11"),
    ]
    assert result.lines("balance", "currency", "expected", "reported", "unexplained") == [
        ("EUR", "10", "0", "10"),
        ("USD", "0", "11", "-11"),
    ]


def test_the_parts_of_an_absent_amount_in_another_currency_are_zero_and_not_absent() -> None:
    result = reconcile("id | currency | amount\nA | EUR | -", "id | currency | amount\nA | USD | 11.00")
    assert result.lines("delta", "currency", "amount", "unexplained") == [("EUR", None, "0"), ("USD", "-11", "-11")]


# Absent amounts, large amounts, limits of 64 bits


def test_a_file_without_amounts_has_none_and_is_not_short_of_zero() -> None:
    result = reconcile("id | amount\nA | 5.00", "id | note\nA | x")
    assert _deltas(result) == [("underpay", "5", "amount_missing_theirs")]
    result = reconcile("id | note\nA | x", "id | amount\nA | 5.00")
    assert _deltas(result) == [("overpay", "-5", "amount_missing_ours")]


@pytest.mark.parametrize("is_ours", [True, False])
def test_with_amounts_on_one_side_only_the_sum_holds_and_no_pair_is_said_to_agree(is_ours: bool) -> None:  # noqa: FBT001
    with_amounts = "id | note | amount\nA | x | 5.00\nB | y | 0.00\nC | z | -\nD | w | 7.00"
    without = "id | note\nA | x\nB | y\nC | z\nE | v"
    result = reconcile(with_amounts, without) if is_ours else reconcile(without, with_amounts)
    sign, row, absent = ("", "ours_row", "theirs") if is_ours else ("-", "theirs_row", "ours")
    kinds = ("underpay", "missing", "unexpected") if is_ours else ("overpay", "unexpected", "missing")
    assert _deltas(result) == sorted(
        [
            (kinds[0], f"{sign}5", f"amount_missing_{absent}"),
            (kinds[1], f"{sign}7", "not_reported" if is_ours else "not_expected"),
            (kinds[2], None, "amount_absent"),
            ("value_mismatch", "0", "columns:amount"),
        ],
        key=repr,
    )
    assert result.lines("difference", row, "column", "difference") == [(1, "amount", None), (2, "amount", None)]
    (line,) = result.summary["currencies"]
    assert line["difference"] == f"{sign}12.000000"
    assert (line["tolerated"], line["parts"]["unexplained"]) == ("0.000000", f"{sign}5.000000")


def test_an_absent_amount_differs_from_one_that_is_there_by_no_number() -> None:
    result = reconcile("id | amount\nA | 5.00\nB | 3.00", "id | amount\nA | -\nB | 2.00")
    assert result.lines("difference", "ours_row", "difference") == [(1, None), (2, "1")]


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("column", ["amount", "quantity", "fee", "tax"])
def test_millions_are_ordinary(column: str, as_text: bool) -> None:  # noqa: FBT001
    cells = {"amount": "2.00", "quantity": "1", "fee": "0", "tax": "1", column: "123456789012.00"}
    ours = table(f"id | {' | '.join(cells)}\nA | {' | '.join(cells.values())}")
    theirs = table("id | amount | quantity | fee | tax\nA | 1.00 | 1 | 0 | 1")
    result = run(ours, theirs, plan_for(ours, theirs), as_text=as_text)
    gap = {"amount": "123456789011"}.get(column, "1")
    assert result.lines("delta", "kind", "amount") == [("underpay", gap)]


def test_an_absent_amount_is_not_zero() -> None:
    result = reconcile(
        """
        id | amount
        A  | -
        B  | -
        C  | -
        D  | -
        """,
        """
        id | amount
        A  | 0
        B  | 5.00
        C  | -
        """,
    )
    assert _deltas(result) == [
        ("missing", None, "amount_absent"),
        ("overpay", "-5", "amount_missing_ours"),
        ("value_mismatch", "0", "columns:amount"),
    ]


LARGE = "999999999999.999999"


def test_sums_beyond_64_bits_are_exact() -> None:
    lines = [f"A{n} | {LARGE}" for n in range(20)]
    result = reconcile("id | amount\n" + "\n".join(lines), "id | amount\nB | 1.00")
    assert result.lines("balance", "expected", "missing") == [("19999999999999.99998", "19999999999999.99998")]
    assert to_micros(LARGE) * 20 > MAX_MICROS


def test_a_group_beyond_64_bits_ties_out_or_differs_exactly() -> None:
    parts = "\n".join(f"P1 | {LARGE}" for _ in range(20))
    short = parts.replace(LARGE, "999999999999.99", 1)
    result = reconcile(f"group | amount\n{parts}", f"group | amount\n{parts}")
    assert result.summary["result"] == "ties_out"
    result = reconcile(f"group | amount\n{parts}", f"group | amount\n{short}")
    assert _deltas(result) == [("underpay", "0.009999", "group_sum_differs")]


def test_parts_beyond_64_bits_still_tie_in_sum() -> None:
    theirs = "\n".join(f"A | {LARGE}" for _ in range(11))
    ours = "\n".join(f"A | {n}" for n in ("999999999999.999998", "999999999999.999997", *[LARGE] * 9))
    result = reconcile(f"id | amount\n{ours}", f"id | amount\n{theirs}\nA | -0.000003")
    assert _deltas(result) == []


def test_opposite_amounts_at_the_limit_are_compared_without_overflow() -> None:
    result = reconcile(
        f"id | day | amount | text\nA | 2026-01-05 | {LARGE} | zebra\n- | 2026-01-05 | {LARGE} | okapi",
        f"id | day | amount | text\nA | 2026-01-05 | -{LARGE} | zebra\n- | 2026-01-05 | -{LARGE} | okapi",
    )
    assert ("underpay", "1999999999999.999998", "sign_differs") in _deltas(result)


@pytest.mark.parametrize(
    ("ours", "theirs", "reason"),
    [
        ("54.30", "45.30", "digits_swapped"),
        ("1234.56", "1243.56", "digits_swapped"),
        ("1234.56", "1324.65", "amount_differs"),
        ("18.00", "27.00", "amount_differs"),
        ("54.30", "-45.30", "amount_differs"),
        ("100.00", "10.00", "amount_differs"),
    ],
)
def test_two_digits_that_changed_places_are_the_reason(ours: str, theirs: str, reason: str) -> None:
    result = reconcile(f"id | amount\nA | {ours}", f"id | amount\nA | {theirs}")
    assert [row["reason_code"] for row in result.facts["delta"]] == [reason]


def test_a_booking_and_its_reversal_on_one_side_are_named_and_still_counted() -> None:
    result = reconcile(
        "day | amount | text\n2026-01-05 | 80 | rent elm\n2026-01-09 | -80 | rent elm\n2026-01-09 | 5 | gas",
        "day | amount | text\n2026-01-06 | 900 | wages",
    )
    told = sorted((row["ours_row"] or 0, row["reason_code"]) for row in result.facts["delta"])
    assert told == [(0, "not_expected"), (1, "reversed"), (2, "reversed"), (3, "not_reported")]
    assert sum(row["amount_micros"] for row in result.facts["delta"] if row["reason_code"] == "reversed") == 0


def test_what_is_booked_back_after_more_than_a_month_is_no_reversal() -> None:
    result = reconcile("day | amount | text\n2026-01-05 | 80 | rent\n2026-02-06 | -80 | rent", "day | amount | text")
    assert {row["reason_code"] for row in result.facts["delta"]} == {"not_reported"}


@pytest.mark.parametrize(("key", "step"), [("id", "pair_delta"), ("group", "delta")])
def test_a_difference_beyond_64_bits_names_the_step_and_what_to_do(key: str, step: str) -> None:
    """Both rows fit and the gap between them does not: no amount can state it."""
    ours, theirs = (Side((Row(**{key: "A"}, amount=sign * MAX_MICROS),), (key, "amount")) for sign in (1, -1))
    with pytest.raises(AmountsTooLarge, match=rf"Step {step} needs a difference.*9,223,372,036,854.*amount_exponent"):
        run(ours, theirs, plan_for(ours, theirs), as_text=True)


@pytest.mark.parametrize("sign", [1, -1])
def test_rows_at_the_limit_are_summed_without_overflow(sign: int) -> None:
    ours = Side(tuple(Row(id=f"A{n}", amount=sign * MAX_MICROS) for n in range(5)), ("id", "amount"))
    theirs = Side((Row(id="B", amount=sign * MAX_MICROS), Row(id="A1", amount=sign * MAX_MICROS)), ("id", "amount"))
    result = run(ours, theirs, plan_for(ours, theirs), as_text=True)
    (line,) = result.facts["balance"]
    assert line["missing_micros"] == 4 * sign * MAX_MICROS
    assert line["unexpected_micros"] == -sign * MAX_MICROS
    assert line["expected_micros"] - line["reported_micros"] == 3 * sign * MAX_MICROS


def test_what_agrees_is_stated_rightly_where_a_group_sums_beyond_64_bits() -> None:
    parts = "\n".join(f"P1 | {LARGE}" for _ in range(20))
    result = reconcile(f"group | amount\n{parts}\nP2 | 7.00", f"group | amount\n{parts}\nP1 | 1.00\nP2 | 7.00")
    assert result.summary["currencies"][0]["agreed"] == "7.000000"


# Likeness


def test_crowded_equal_amounts_meet_one_to_one_in_one_round() -> None:
    rows = tuple(Row(amount=5_000_000, note=f"{n % 3}") for n in range(300))
    side = Side(rows, ("amount", "note"))
    other = Side(tuple(reversed(rows[:-1])), ("amount", "note"))
    result = run(side, other, plan_for(side, other))
    ours, theirs = zip(*_pairs(result), strict=True)
    assert len(set(ours)) == len(set(theirs)) == 299
    assert _deltas(result) == [("missing", "5", "not_reported")]
    assert sum(step.name == "mutual_best" for step in result.outcome.steps) <= 3


def test_thousands_of_equal_rows_meet_without_a_candidate_for_every_pair() -> None:
    """Two thousand against two thousand would be four million candidates."""
    side = Side(tuple(Row(amount=5_000_000, text="rent") for _ in range(2_000)), ("amount", "text"))
    other = Side(side.rows[:-3], ("amount", "text"))
    result = run(side, other, plan_for(side, other))
    assert [(row["outcome"], row["confidence"]) for row in result.facts["match"]] == [("auto", 1.0)] * 1_997
    assert len({row["ours_row"] for row in result.facts["match"]}) == 1_997
    assert len({row["theirs_row"] for row in result.facts["match"]}) == 1_997
    assert _deltas(result) == [("missing", "5", "not_reported")] * 3
    assert {step.rows for step in result.outcome.steps if step.name == "block_candidate"} == {3}


def test_a_copy_left_over_shows_what_it_was_taken_for() -> None:
    result = reconcile("day | amount\n2026-01-05 | 5.00\n2026-01-05 | 5.00", "day | amount\n2026-01-05 | 5.00")
    assert _pairs(result) == [(1, 1)]
    assert result.lines("candidate", "ours_row", "theirs_row", "score", "chosen") == [
        (1, 1, 1.0, True),
        (2, 1, 1.0, False),
    ]
    assert "1 in question, best 1.0" in result.facts["unmatched_ours"][0]["searched"]


def test_of_equal_rows_those_without_a_reference_meet_first_and_two_references_never() -> None:
    result = reconcile("id | amount\nA | 5.00\n- | 5.00", "id | amount\nB | 5.00\n- | 5.00")
    assert _pairs(result) == [(2, 2)]
    result = reconcile("id | amount\nA | 5.00\n- | 5.00\n- | 5.00", "id | amount\nB | 5.00\n- | 5.00")
    assert _pairs(result) == [(2, 2), (3, 1)]


def test_equal_rows_are_certain_whatever_else_is_alike() -> None:
    """A row without a text is as alike as its twin, for what is absent is no evidence; the twin is preferred."""
    ours = "day | amount | text\n2026-01-05 | 5.00 | rent"
    theirs = "day | amount | text\n2026-01-05 | 5.00 | -\n2026-01-05 | 5.00 | rent"
    result = reconcile(ours, theirs, required_margin=0.5, weights=Weights(0.4, 0.4, 0, 0.2))
    assert result.lines("match", "theirs_row", "outcome", "alternatives") == [(2, "auto", 0)]


@pytest.mark.parametrize("is_swapped", [False, True])
def test_among_equals_those_that_agree_in_what_is_compared_meet(is_swapped: bool) -> None:  # noqa: FBT001
    notes = ["2026-01-05 | 5.00 | x", "2026-01-05 | 5.00 | y"]
    ours = "\n".join(["day | amount | note", *(reversed(notes) if is_swapped else notes)])
    assert _deltas(reconcile(ours, "day | amount | note\n2026-01-05 | 5.00 | y")) == [("missing", "5", "not_reported")]


def test_a_near_amount_is_found_where_a_side_has_no_days() -> None:
    result = reconcile("day | amount\n2026-01-05 | 100.00\n- | 7.00", "amount\n99.00\n6.99")
    assert _pairs(result) == [(1, 1), (2, 2)]


def test_a_near_amount_is_found_where_neither_side_has_text() -> None:
    assert _pairs(reconcile("day | amount\n2026-01-05 | 100.00", "day | amount\n2026-01-05 | 99.00")) == [(1, 1)]


def test_among_equal_scores_the_nearer_day_is_preferred() -> None:
    result = reconcile(
        "day | amount\n2026-01-05 | 5.00",
        "day | amount\n2026-01-02 | 5.00\n2026-01-06 | 5.00",
        window_days=3,
        weights=Weights(time=0, amount=1, unit=0, text=0),
    )
    assert _pairs(result) == [(1, 2)]


def test_text_that_is_absent_is_no_evidence_against_a_pair() -> None:
    result = reconcile("amount | text\n100.00 | rent", "amount | text\n100.00 | -", weights=Weights(0, 0.3, 0, 0.7))
    assert result.lines("candidate", "score", "score_text") == [(1.0, None)]


def test_a_margin_of_exactly_what_is_required_is_enough() -> None:
    """0.9 - 0.8 is less than 0.1 in doubles; the candidates differ by 0.1 all the same."""
    ours = "day | amount | unit\n2026-01-05 | 10.00 | berlin"
    theirs = "day | amount | unit\n2026-01-05 | 10.00 | paris\n2026-01-06 | 10.00 | paris"
    weights = Weights(time=0.4, amount=0.5, unit=0.1, text=0)
    result = reconcile(ours, theirs, window_days=1, weights=weights, lag_half_days=3, required_margin=0.1)
    assert result.lines("candidate", "theirs_row", "score") == [(1, 0.9), (2, 0.8)]
    assert result.lines("match", "theirs_row", "outcome") == [(1, "auto")]


@pytest.mark.parametrize(("review", "found"), [(0.75, [(1, 1)]), (0.750000001, [])])
def test_thresholds_are_inclusive(review: float, found: list[tuple[int, int]]) -> None:
    result = reconcile(
        "day | amount\n2026-01-05 | 10.00",
        "day | amount\n2026-01-06 | 10.00",
        window_days=1,
        weights=Weights(1, 0, 0, 0),
        auto_threshold=review,
        review_threshold=review,
    )
    assert _pairs(result) == found


def test_two_rows_with_references_of_their_own_are_not_paired_by_likeness() -> None:
    result = reconcile("id | day | amount\nA | 2026-01-05 | 10.00", "id | day | amount\nB | 2026-01-05 | 10.00")
    assert _deltas(result) == [("missing", "10", "not_reported"), ("unexpected", "-10", "not_expected")]


def test_a_partner_found_by_a_rare_word_carries_its_gap() -> None:
    result = reconcile(
        "day | amount | text\n2026-01-05 | 100.00 | zebra crossing",
        "day | amount | text\n2026-01-05 | 40.00 | crossing zebra",
        weights=ONLY_TEXT,
    )
    assert _deltas(result) == [("underpay", "60", "amount_differs")]


def test_a_lone_row_within_the_window_of_the_end_is_a_matter_of_timing() -> None:
    """Theirs ends on the 10th. With a window of 3 days a partner of the 8th may come on the 11th, of the 7th not.

    One of the 13th may have been theirs on the 10th; theirs says nothing about the 14th.
    """
    result = reconcile(
        "id | day | amount\nA | 2026-01-07 | 1.00\nB | 2026-01-08 | 2.00\nC | 2026-01-13 | 3.00\n"
        "D | 2026-01-14 | 4.00\nZ | 2026-01-10 | 9.00",
        "id | day | amount\nZ | 2026-01-10 | 9.00",
        window_days=3,
    )
    assert _deltas(result) == [
        ("missing", "1", "not_reported"),
        ("missing", "4", "not_reported"),
        ("timing_lag", "2", "within_window_of_end"),
        ("timing_lag", "3", "within_window_of_end"),
    ]


def test_no_match_says_which_population_was_searched() -> None:
    result = reconcile(
        "id | day | amount\nA | 2026-01-05 | 10.00\n- | 2026-01-05 | 10.00",
        "id | day | amount\nB | 2026-01-05 | 70.00\nC | 2026-01-05 | 80.00",
    )
    searched = [row["searched"] for row in result.facts["unmatched_ours"]]
    assert searched[0].startswith("reference among all 2 rows of theirs; likeness among 2 open rows of theirs")
    assert searched[1].startswith("likeness among 2 open rows of theirs (same currency, within 0 days")


def test_a_row_without_a_readable_amount_is_set_apart_and_counts_nowhere() -> None:
    ours = Side((Row(id="A", amount=5_000_000), Row(id="B", amount=1, refused=True)), ("id", "amount"))
    theirs = Side((Row(id="A", amount=5_000_000),), ("id", "amount"))
    result = run(ours, theirs, plan_for(ours, theirs), as_text=True)
    assert result.lines("quarantine", "side", "row_no", "column", "reason_code") == [
        ("ours", 2, "amount", "bad_number")
    ]
    assert _deltas(result) == []
    assert result.lines("balance", "expected", "reported") == [("5", "5")]
    assert result.summary["result"] == "differences"


@pytest.mark.parametrize(
    ("ours", "theirs", "pairs"),
    [
        (("A ", "B"), ("A", "B  "), [(1, 1), (2, 2)]),
        ((" A", "B"), ("A", "B"), [(1, 1), (2, 2)]),
        (("A ", "B"), ("A ", " B"), [(1, 1), (2, 2)]),
        (("", "B"), ("", "B"), [(2, 2)]),
        (("  ", "B"), ("B ", "  "), [(2, 1)]),
    ],
)
def test_blanks_around_a_reference_do_not_count(ours, theirs, pairs):
    def side(ids):
        plain = table("id | amount\n" + "\n".join(f"X | {i}" for i in range(1, len(ids) + 1)))
        return replace(plain, rows=tuple(replace(row, id=id_) for row, id_ in zip(plain.rows, ids, strict=True)))

    left, right = side(ours), side(theirs)
    found = run(left, right, plan_for(left, right))
    by_reference = [row for row in found.facts["match"] if "reference" in row.values()]
    assert [(row["ours_row"], row["theirs_row"]) for row in by_reference] == pairs
