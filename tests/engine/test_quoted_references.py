"""References with words around them: they meet by the one that these quote, and where nobody knows which, by none."""

from __future__ import annotations

from itertools import permutations

import pytest

from tests.engine.builders import Result, permuted, plan_for, reconcile, run, table

OURS = """\
id | amount
INV-1 | 10
INV-2 | 20
INV-3 | 30
INV-4 | 40
"""


def _matches(found: Result) -> list[tuple[int, int, str]]:
    return [(row["ours_row"], row["theirs_row"], row["pass"]) for row in found.facts["match"]]


def _theirs(*rows: tuple[str, int]) -> str:
    return "id | amount\n" + "\n".join(f"{reference} | {amount}" for reference, amount in rows)


@pytest.mark.parametrize(
    "quoting",
    [
        "INV-3 less 2%",
        "payment INV-3",
        "re: (INV-3), thanks",
        '"INV-3" rest',
        "INV-3 INV-3",
        "#INV-3 of 2026",
        "inv INV-3",
    ],
)
def test_a_reference_among_words_meets_the_row_that_has_it(quoting: str) -> None:
    found = reconcile(OURS, _theirs(("INV-1", 10), (quoting, 29), ("INV-4", 40)))
    assert _matches(found) == [(1, 1, "reference"), (3, 2, "reference"), (4, 3, "reference")]
    assert found.lines("delta", "kind", "amount") == [("missing", "20"), ("underpay", "1")]


@pytest.mark.parametrize("quoting", ["INV-3 for INV-1", "INV-2 or INV-3", "re INV-3, INV-4"])
def test_of_several_references_the_one_of_the_same_amount_is_meant(quoting: str) -> None:
    found = reconcile(OURS, _theirs(("INV-1", 10), (quoting, 30)))
    assert _matches(found) == [(1, 1, "reference"), (3, 2, "reference")]


def test_it_does_so_on_either_side() -> None:
    found = reconcile(_theirs(("INV-1", 10), ("INV-3 less 2%", 29)), OURS)
    assert _matches(found) == [(1, 1, "reference"), (2, 3, "reference")]


@pytest.mark.parametrize(
    "quoting",
    [
        "INV-3 or INV-2",  # two that are there, and the amounts behind them do not tie in sum
        "INV-3 for INV-1",  # one of them has its partner
        "INV-1 again",  # it has its partner
        "INV-33 late",
        "INV3 late",
        "INV-3late",
        "thanks",
    ],
)
def test_where_nobody_knows_which_is_meant_a_row_stays_alone(quoting: str) -> None:
    found = reconcile(OURS, _theirs(("INV-1", 10), (quoting, 29)))
    assert _matches(found) == [(1, 1, "reference")]
    assert found.lines("unmatched_theirs", "theirs_row", "reason_code", "ref") == [(2, "unexpected", quoting)]


def test_several_payments_that_quote_a_reference_are_a_group_where_they_tie_in_sum() -> None:
    found = reconcile(OURS, _theirs(("part 1 INV-3", 12), ("part 2 INV-3", 18)))
    assert _matches(found) == [(3, 1, "group"), (3, 2, "group")]


def test_where_they_do_not_tie_the_nearest_is_the_one() -> None:
    found = reconcile(OURS, _theirs(("part 1 INV-3", 12), ("part 2 INV-3", 19)))
    assert _matches(found) == [(3, 2, "reference")]
    assert found.lines("unmatched_theirs", "theirs_row") == [(1,)]


@pytest.mark.parametrize("listing", ["INV-2 and INV-3", "INV-2, INV-3", "INV-3;INV-2 thanks"])
def test_a_payment_that_lists_what_it_pays_is_a_group_where_the_sums_tie(listing: str) -> None:
    found = reconcile(OURS, _theirs(("INV-1", 10), (listing, 50)))
    assert _matches(found) == [(1, 1, "reference"), (2, 2, "group"), (3, 2, "group")]
    assert found.lines("delta", "kind", "amount") == [("missing", "40")]


@pytest.mark.parametrize(
    "rows",
    [
        [("INV-2 and INV-3", 49)],  # no sum
        [("INV-2 and INV-3", 25), ("INV-2 and INV-3", 25)],  # nobody knows which pays what
        [("INV-2 and INV-3", 50), ("INV-3 and INV-4", 70)],  # one of them is paid twice
        [("INV-2 and INV-3", 50), ("INV-2", 20)],  # one of them has its partner
    ],
)
def test_a_list_that_does_not_tie_or_is_not_alone_is_left(rows: list[tuple[str, int]]) -> None:
    found = reconcile(OURS, _theirs(*rows))
    assert [match for match in _matches(found) if match[2] == "group"] == []


def test_a_list_may_miss_its_sum_by_what_is_tolerated() -> None:
    found = reconcile(OURS, _theirs(("INV-2 and INV-3", 49)), tolerance="1")
    assert _matches(found) == [(2, 1, "group"), (3, 1, "group")]


def test_amounts_of_another_currency_do_not_tie() -> None:
    ours = "id | currency | amount\nA-1 | EUR | 10\nA-2 | USD | 20"
    found = reconcile(ours, "id | currency | amount\nA-1 A-2 | EUR | 30")
    assert _matches(found) == []


def test_numbers_alone_are_told_apart_as_well() -> None:
    ours, theirs = table(OURS), table(_theirs(("inv 1", 10), ("inv 3 less 2%", 29), ("inv 4", 40)))
    found = run(ours, theirs, plan_for(ours, theirs, reference_form="digits"))
    assert _matches(found) == [(1, 1, "reference"), (4, 3, "reference")]  # 3 and 2 are both there
    assert found.lines("unmatched_ours", "ref") == [("INV-2",), ("INV-3",)]  # as the file has them
    assert found.lines("unmatched_theirs", "ref") == [("inv 3 less 2%",)]
    theirs = table(_theirs(("inv 1", 10), ("inv 3 less 20%", 29), ("inv 4", 40)))
    found = run(ours, theirs, plan_for(ours, theirs, reference_form="digits"))
    assert _matches(found) == [(1, 1, "reference"), (3, 2, "reference"), (4, 3, "reference")]


def test_the_order_of_rows_decides_nothing() -> None:
    rows = [("INV-2 and INV-3", 50), ("part 1 INV-4", 25), ("part 2 INV-4", 15), ("INV-1 fee", 9)]
    found = set()
    for order in permutations(range(4)):
        ours, theirs = table(OURS), permuted(table(_theirs(*rows)), order)
        result = run(ours, theirs, plan_for(ours, theirs))
        found.add(frozenset((ours_row, order[theirs_row - 1]) for ours_row, theirs_row, _ in _matches(result)))
    assert found == {frozenset({(2, 0), (3, 0), (4, 1), (4, 2), (1, 3)})}
