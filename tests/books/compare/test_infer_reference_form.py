"""Keys that each side writes in its own way: the form in which they meet, and where none may be taken."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.books.compare.builders import Columns, get_decision, infer_plan
from tieout.engine.plan import ReferenceForm

ROWS = 80
AMOUNTS = [f"{17 + n * 371 % 9973}.{n * 37 % 100:02}" for n in range(ROWS)]
OTHERS = [f"{29 + n * 587 % 8839}.{n * 53 % 100:02}" for n in range(ROWS)]
DAYS = [f"2026-03-{1 + n * 7 % 28:02}" for n in range(ROWS)]


def table(written: Callable[[int], str], *, name: str = "invoice_no", amounts: list[str] = AMOUNTS) -> Columns:
    return {name: [written(n) for n in range(ROWS)], "amount": amounts, "date": DAYS}


def padded(n: int) -> str:
    return f"INV-{n + 60:06}"


@pytest.mark.parametrize(
    ("written", "form"),
    [
        (padded, "written"),
        (lambda n: f"inv {n + 60}", "plain"),
        (lambda n: f"#INV{n + 60:06}", "plain"),
        (lambda n: f"Inv. {n + 60:08}", "plain"),
        (lambda n: f"{n + 60}", "digits"),
        (lambda n: f"Invoice {n + 60}", "digits"),
        (lambda n: padded(n) if n % 2 else f"R {n + 60}", "digits"),
    ],
)
def test_a_key_meets_in_the_form_that_both_sides_share(written: Callable[[int], str], form: ReferenceForm) -> None:
    for sides in ((table(padded), table(written)), (table(written), table(padded))):
        plan = infer_plan(*sides)
        assert (plan.ours.key, plan.theirs.key) == (("invoice_no",), ("invoice_no",))
        assert plan.rules.reference_form == form


def test_zeros_that_a_spreadsheet_dropped_do_not_matter_and_the_choice_is_told() -> None:
    plan = infer_plan(table(lambda n: f"{n * 991 + 60:08}"), table(lambda n: f"{n * 991 + 60}", name="Inv No"))
    assert (plan.ours.key, plan.theirs.key, plan.rules.reference_form) == (("invoice_no",), ("Inv No",), "plain")
    assert "without case, signs and zeros in front" in get_decision(plan, "key").evidence


def test_what_the_user_names_as_key_meets_in_another_form_too() -> None:
    plan = infer_plan(table(padded, name="a"), table(lambda n: f"{n + 60}", name="b"), on=("a=b",))
    assert (plan.ours.key, plan.theirs.key, plan.rules.reference_form) == (("a",), ("b",), "digits")
    assert get_decision(plan, "key").confidence == 1.0


def test_a_key_that_the_user_names_may_be_empty_on_a_side() -> None:
    plan = infer_plan(table(padded, name="a"), table(lambda _: "", name="b"), on=("a=b",))
    assert (plan.theirs.key, plan.rules.reference_form) == (("b",), "written")


def test_numbers_that_fall_together_without_their_letters_are_no_key() -> None:
    ours, theirs = table(lambda n: f"{'AB'[n % 2]}-{n // 2:04}"), table(lambda n: f"{n // 2}")
    assert infer_plan(ours, theirs).ours.key == ()
    both = infer_plan(ours, table(lambda n: f"{'ab'[n % 2]}{n // 2}"))
    assert (both.ours.key, both.rules.reference_form) == (("invoice_no",), "plain")


def test_two_counters_that_merely_run_alike_are_no_key() -> None:
    ours, theirs = table(padded), table(lambda n: f"PO-{n + 60}", name="order_no", amounts=OTHERS)
    assert infer_plan(ours, {**theirs, "date": DAYS[::-1]}).ours.key == ()


@pytest.mark.parametrize("name", ["phone", "card_no"])
def test_what_persons_share_is_no_key_in_any_form(name: str) -> None:
    ours = table(lambda n: f"+49 30 {n * 7919 + 10**6}", name=name)
    assert infer_plan(ours, table(lambda n: f"+4930-{n * 7919 + 10**6}", name=name)).rules.reference_form == "written"


def test_a_key_that_some_rows_write_otherwise_meets_in_all_rows() -> None:
    plan = infer_plan(table(padded), table(lambda n: padded(n) if n % 4 else f"inv{n + 60}"))
    assert (plan.ours.key, plan.rules.reference_form) == (("invoice_no",), "plain")
    plan = infer_plan(table(padded), table(lambda n: padded(n) if n else "inv60"))
    assert (plan.ours.key, plan.rules.reference_form) == (("invoice_no",), "written")


def test_of_a_sample_nobody_can_tell_how_much_meets_so_another_form_is_taken_only_where_nothing_does() -> None:
    assert infer_plan(table(padded), table(lambda n: padded(n) if n % 4 else f"inv{n + 60}"), is_sample=True).rules == (
        infer_plan(table(padded), table(padded)).rules
    )
    assert infer_plan(table(padded), table(lambda n: f"inv{n + 60}"), is_sample=True).rules.reference_form == "plain"


@pytest.mark.parametrize("told", ["po_{:06}", "STRIPE TRANSFER PO-{}", "{}"])
def test_a_payout_groups_what_it_holds_however_the_bank_tells_its_number(told: str) -> None:
    held = {
        "id": [f"ch_{n:05}" for n in range(ROWS)],
        "amount": AMOUNTS,
        "created": DAYS,
        "payout_id": [f"po_{n // 5 + 31:06}" for n in range(ROWS)],
    }
    sums = [sum(map(Decimal, AMOUNTS[n : n + 5])) for n in range(0, ROWS, 5)]
    paid = {
        "date": DAYS[: len(sums)],
        "amount": [str(amount) for amount in sums],
        "description": [told.format(n + 31) for n in range(len(sums))],
    }
    plan = infer_plan(held, paid)
    assert (plan.ours.group, plan.theirs.group) == (("payout_id",), ("description",))
    assert plan.rules.reference_form == ("written" if told == "po_{:06}" else "digits")
    unrelated = paid | {"amount": [f"{amount * 137 / 100:.2f}" for amount in sums]}
    assert told == "po_{:06}" or infer_plan(held, unrelated).ours.group == ()
