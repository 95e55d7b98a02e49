from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.builders import change, delta, micros, rule_change
from tieout.engine.why_not import KINDS
from tieout.report import words


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("bell\x07 null\x00 delete\x7f", "bell null delete"),
        ("line\r\none\ttwo", "line one two"),
        ("\u202egnp.exe", "gnp.exe"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("lone \udc80 half", "lone half"),
        ("Müller 東京 👩‍👧 نص", "Müller 東京 👩‍👧 نص"),
        ("[red]kept as it is[/red]", "[red]kept as it is[/red]"),
    ],
)
def test_text_of_strangers_loses_what_a_terminal_would_obey(raw, shown):
    assert words.plain(raw).replace("  ", " ") == shown


@given(st.text(max_size=300), st.integers(min_value=1, max_value=50))
def test_plain_text_is_short_printable_and_stays_as_it_is(raw, limit):
    once = words.plain(raw, limit)
    assert len(once) <= limit
    assert not any(ord(letter) < 32 or 0x7F <= ord(letter) <= 0x9F for letter in once)
    assert words.plain(once) == once
    once.encode("utf-8")


def test_a_huge_text_is_cut_without_being_read_through():
    assert words.plain("a" * 10_000_000, 10) == "a" * 9 + "…"


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("1234567.89", "1,234,567.89"),
        ("-12.5", "-12.50"),
        ("0.000001", "0.000001"),
        ("-0.000000", "0.00"),
        ("12345678901234567890123.456789", "12,345,678,901,234,567,890,123.456789"),
        (None, ""),
    ],
)
def test_money_is_grouped_and_exact(amount, shown):
    assert words.money(amount) == shown


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**25), max_value=10**25))
def test_money_reads_back_as_the_same_amount(amount):
    shown = words.money(amount, sign=True)
    assert Decimal(shown.replace(",", "")) == amount
    assert shown.startswith("+") == (amount > 0)


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_a_label_in_a_picture_is_near_its_amount_and_short(amount):
    shown = words.short_money(amount).replace("\u2212", "-").replace(",", "")
    scale = {"m": 10**6, "bn": 10**9, "tn": 10**12}.get(shown.lstrip("-0123456789."), 1)
    near = Decimal(shown.rstrip("mbnt")) * scale
    assert abs(near - Decimal(amount).scaleb(-6)) <= scale / Decimal(100)
    assert len(shown) <= 14


@pytest.mark.parametrize(("value", "shown"), [(1.0, "100%"), (0.9999, "99%"), (0.625, "63%"), (0.0, "0%"), (None, "")])
def test_only_certainty_is_a_hundred_percent(value, shown):
    assert words.confidence(value) == shown


def test_a_short_payment_is_explained_with_both_amounts_and_its_parts():
    row = delta(
        "underpay",
        "5.00",
        ours_amount_micros=micros("100"),
        theirs_amount_micros=micros("95"),
        parts={"fee": "3", "unexplained": "2"},
    )
    said = "We expected 100.00, they report 95.00: 5.00 less than expected. Of this fees 3.00 and unexplained 2.00."
    assert words.explain_delta(row) == said


def test_an_opposite_sign_is_named():
    row = delta("underpay", "200", ours_amount_micros=micros("100"), theirs_amount_micros=micros("-100"))
    assert words.explain_delta(row) == "We expected 100.00, they report the same with the opposite sign."


def test_swapped_digits_and_reversals_are_named():
    row = delta(
        "underpay",
        "9",
        ours_amount_micros=micros("54"),
        theirs_amount_micros=micros("45"),
        reason_code="digits_swapped",
    )
    said = "We expected 54.00, they report 45.00: 9.00 less than expected, two digits having changed places."
    assert words.explain_delta(row) == said
    lone = delta("missing", "80", ours_amount_micros=micros("80"), theirs_row=None, reason_code="reversed")
    assert (
        words.explain_delta(lone) == "A booking and its reversal on our side cancel each other; their side has neither."
    )


@pytest.mark.parametrize("kind", [*words.KIND_WORDS, "a_kind_of_tomorrow"])
@pytest.mark.parametrize("amount", ["12.30", None])
def test_every_kind_of_difference_has_a_sentence(kind, amount):
    if amount is None and kind in {"underpay", "overpay"}:
        amount = "1"  # a gap between two amounts has an amount
    said = words.explain_delta(delta(kind, amount, ours_row=1, day=date(2026, 1, 1)))
    assert said.endswith(".")
    assert "_" not in said


def test_a_value_mismatch_names_its_columns():
    said = words.explain_delta(delta("value_mismatch", "0", reason_code="columns:memo,value date"))
    assert said == "The amounts agree; memo and value date do not."


def test_an_unknown_code_is_said_as_words():
    assert words.humanise("sum_of_parts", words.KIND_WORDS) == "Sum of parts"
    assert words.join_words(["a", "b", "c"]) == "a, b and c"
    assert words.counted(1, "match", "matches") == "1 match"
    assert words.counted(2000, "match", "matches") == "2,000 matches"
    assert words.size(2_340_000) == "2.3 MB"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (change("ours", 3, "window_days", "3", "7"), "a window of 7 days instead of 3 would match row 31 of theirs"),
        (
            change("theirs", 3, "reference", "INV-1\x1b[31m", "INV-2", size=2),
            "2 characters of the reference: INV-2 instead of INV-1 would match row 31 of ours",
        ),
        (
            change("ours", 3, "date", "2026-01-02", "2026-01-03", certainty="likely"),
            (
                "a date 1 day away: 2026-01-03 instead of 2026-01-02 would match row 31 of theirs,"
                " unless another row is the better match"
            ),
        ),
        (change("ours", 3, "currency", "", "EUR"), "the currency EUR instead of none would match row 31 of theirs"),
        (
            change("ours", 3, "taken", "0.6", "0.9", rival_row=4, certainty=""),
            "row 31 of theirs is taken by row 4: 0.9 against 0.6 of this row",
        ),
        (
            change("ours", 3, "taken_reference", "0", "0", rival_row=4, certainty=""),
            "row 31 of theirs, which has its reference, is taken by row 4",
        ),
        (change("ours", 3, "nothing_near", "", "", searched="2 rows"), "nothing near among 2 rows"),
    ],
)
def test_what_would_match_a_row_is_a_sentence(line, said):
    assert words.explain_change(line) == said


def test_every_kind_of_change_has_words_and_a_sentence():
    assert tuple(words.CHANGE_WORDS) == KINDS
    assert all(words.explain_change(change("ours", 1, kind, "1", "2", rival_row=3)) for kind in KINDS)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (
            rule_change("window", "3", "7", basis="estimate", ours_rows=12),
            ("window of 7 days instead of 3", "about 12 rows a side would match: 1,234.50 EUR"),
        ),
        (
            rule_change("auto", "0.8", "0.7", ours_rows=1, amounts={"": "1", "EUR": "2", "USD": "3"}),
            ("accept from 0.7 instead of 0.8", "1 match would need no person: 1.00, 2.00 EUR and 1 more currency"),
        ),
        (
            rule_change("review", "0.5", "0.45", basis="bound"),
            ("review from 0.45 instead of 0.5", "at most 2 rows a side would be proposed: 1,234.50 EUR"),
        ),
    ],
)
def test_what_another_rule_would_explain_is_said_with_how_far_it_is_known(told, said):
    assert words.tell_rule_change(told) == said
