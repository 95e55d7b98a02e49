"""Numbers of one side that the other quotes in its texts: a column of them is evidence, with no counterpart."""

from __future__ import annotations

import pytest

from tests.books.compare.builders import get_decision, infer_plan
from tieout.engine.plan import Plan

ROWS = 60
FIRST = ["Alba", "Brook", "Corvin", "Delta", "Ember", "Fjord"]
SECOND = ["Foods", "Metals", "Optics", "Freight", "Studio"]
PARTIES = [f"{FIRST[n % 6]} {SECOND[n // 6 % 5]}" for n in range(ROWS)]
AMOUNTS = [f"{17 + n * 371 % 9973}.{n * 37 % 100:02}" for n in range(ROWS)]
DAYS = [f"2026-03-{1 + n % 28:02}" for n in range(ROWS)]
LATER = [f"2026-03-{min(31, 2 + n % 28):02}" for n in range(ROWS)]


def books(mark: str = "CHK-") -> dict[str, list[str]]:
    """Return payments as booked: by check or by transfer, each with a number."""
    numbers = [f"{mark}{4700 + n}" if n % 3 == 0 else f"AP-{81300 + n}" for n in range(ROWS)]
    return {"date": DAYS, "description": PARTIES, "amount": AMOUNTS, "ref": numbers}


def statement(first: int = 4700, amounts: list[str] = AMOUNTS) -> dict[str, list[str]]:
    """Return them as the bank tells them: of a check its number alone."""
    told = [f"CHECK #{first + n}" if n % 3 == 0 else f"ACH DEBIT {PARTIES[n].upper()}" for n in range(ROWS)]
    return {"posted": LATER, "memo": told, "amount": amounts}


def texts(plan: Plan) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return plan.ours.text, plan.theirs.text


def test_a_column_that_the_other_side_quotes_is_part_of_the_text_behind_the_words() -> None:
    plan = infer_plan(books(), statement())
    assert texts(plan) == (("description", "ref"), ("memo",))
    assert "ref: quoted by the other side" in get_decision(plan, "text").evidence
    assert texts(infer_plan(statement(), books())) == (("memo",), ("description", "ref"))


@pytest.mark.parametrize("mark", ["", "no. "])
def test_how_the_number_is_marked_does_not_matter(mark: str) -> None:
    assert texts(infer_plan(books(mark), statement()))[0] == ("description", "ref")


def test_numbers_that_merely_meet_are_not_quoted() -> None:
    """The bank counts its checks from elsewhere, so that the rows with equal numbers have other amounts."""
    assert texts(infer_plan(books(), statement(first=4706)))[0] == ("description",)


def test_what_the_user_names_as_text_stays_alone() -> None:
    plan = infer_plan(books(), statement(), text="description=memo")
    assert texts(plan) == (("description",), ("memo",))


def test_where_a_key_ties_the_rows_nothing_is_added() -> None:
    numbers = [f"{n:06}" for n in range(ROWS)]
    plan = infer_plan({**books(), "payment_id": numbers}, {**statement(), "payment_id": numbers})
    assert plan.ours.key == ("payment_id",)
    assert "ref" not in plan.ours.text
