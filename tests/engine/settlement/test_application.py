"""Payments applied to invoices: the cases an accountant knows, and what holds whatever comes in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partialmethod
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.settlement.payment_world import World, make_world
from tieout.engine.settlement.advised import Advised
from tieout.engine.settlement.application import lines_in_texts, settle
from tieout.engine.settlement.open_items import Application, Item, Line, Settled, Terms

UNIT = 1_000_000
ELM, OAK = "Elm Trading Ltd", "Oak Furniture Inc"


def invoice(row: int, units: float, party: str = ELM, day: int = 100) -> Item:
    return Item(row, round(units * UNIT), "EUR", day, party, f"INV-{row:05d}")


def payment(row: int, units: float, party: str = ELM, day: int = 130) -> Item:
    return Item(row, round(units * UNIT), "EUR", day, party, f"PAY-{row}")


def line(number: int, payment_row: int, reference: str, units: float | None, memo: str = "") -> Line:
    return Line(number, payment_row, reference, None if units is None else round(units * UNIT), memo)


def told(done: Settled) -> list[tuple[int, int, float, str, str]]:
    return [(a.ours_row, a.theirs_row, a.applied / UNIT, a.kind, a.outcome) for a in done.applications]


def only(done: Settled) -> Application:
    assert len(done.applications) == 1
    return done.applications[0]


def test_one_payment_settles_the_invoices_that_its_advice_names() -> None:
    lines = [line(1, 1, "INV-00001", 100), line(2, 1, "inv 2", 50)]
    done = settle([invoice(1, 100), invoice(2, 50)], [payment(1, 150)], lines, Terms())
    assert told(done) == [(1, 1, 100, "full", "auto"), (2, 1, 50, "full", "auto")]


def test_several_payments_settle_one_invoice() -> None:
    lines = [line(1, 1, "INV-00001", 40, "Instalment 1"), line(2, 2, "INV-00001", 60, "Instalment 2")]
    done = settle([invoice(1, 100)], [payment(1, 40), payment(2, 60, day=160)], lines, Terms())
    assert [(row, applied) for _, row, applied, *_ in told(done)] == [(1, 40), (2, 60)]


@pytest.mark.parametrize(
    ("paid", "memo", "kind"),
    [
        (98, "", "discount"),
        (98, "early payment terms", "discount"),
        (91.3, "Deduction: damaged (-8.70)", "short_payment"),
        (95, "2 boxes missing", "short_payment"),
        (40, "", "partial"),
        (95, "progress payment", "partial"),
        (93.17, "", "short_payment"),
    ],
)
def test_what_is_paid_below_the_open_amount_is_told_apart(paid: float, memo: str, kind: str) -> None:
    done = settle([invoice(1, 100)], [payment(1, paid)], [line(1, 1, "INV-00001", paid, memo)], Terms())
    assert told(done) == [(1, 1, paid, kind, "auto")]


def test_what_is_paid_beyond_the_open_amount_stays_with_the_payment() -> None:
    done = settle([invoice(1, 100)], [payment(1, 110)], [line(1, 1, "INV-00001", 110, "on account")], Terms())
    assert told(done) == [(1, 1, 100, "over_payment", "auto")]


def test_a_credit_note_is_netted() -> None:
    lines = [line(1, 1, "INV-00001", 100), line(2, 1, "INV-00002", -30)]
    done = settle([invoice(1, 100), invoice(2, -30)], [payment(1, 70)], lines, Terms())
    assert told(done) == [(1, 1, 100, "full", "auto"), (2, 1, -30, "credit_note", "auto")]


def test_a_credit_note_that_advice_forgets_is_found_and_shown_to_a_person() -> None:
    lines = [line(1, 1, "INV-00001", 100)]
    done = settle([invoice(1, 100), invoice(2, -30)], [payment(1, 70)], lines, Terms())
    assert told(done) == [(1, 1, 100, "full", "auto"), (2, 1, -30, "credit_note", "review")]


def test_a_payment_sent_twice_is_applied_once_and_the_earlier_counts() -> None:
    lines = [line(1, 1, "INV-1", 100), line(2, 2, "INV-00001", 100)]
    done = settle([invoice(1, 100)], [payment(1, 100), payment(2, 100, day=131)], lines, Terms())
    assert told(done) == [(1, 1, 100, "full", "auto")]
    assert [(left.theirs_row, left.duplicate_of) for left in done.unapplied] == [(2, 1)]


@pytest.mark.parametrize("quoted", ["INV-00021", "INV-00017", "PO-4711", "", "INV-00003"])
def test_a_wrong_reference_is_set_right_by_party_and_amount(quoted: str) -> None:
    invoices = [invoice(12, 100), invoice(3, 77, OAK), invoice(30, 55)]
    done = settle(invoices, [payment(1, 100, "ELM TRADING")], [line(1, 1, quoted, 100)], Terms())
    assert told(done) == [(12, 1, 100, "full", "auto")]


def test_advice_that_names_another_party_waits_for_a_person_or_is_refused() -> None:
    exact = settle([invoice(1, 100, OAK)], [payment(1, 100)], [line(1, 1, "INV-00001", 100)], Terms())
    assert told(exact) == [(1, 1, 100, "full", "review")]
    assert "another party" in only(exact).reason
    part = settle([invoice(1, 100, OAK)], [payment(1, 60)], [line(1, 1, "INV-00001", 60)], Terms())
    assert part.applications == ()
    assert [refused.line for refused in part.refused] == [1]


def test_advice_beyond_the_payment_is_not_believed_blindly() -> None:
    invoices = [invoice(1, 100), invoice(2, 50), invoice(3, 20)]
    lines = [line(1, 1, "INV-00001", 100), line(2, 1, "INV-00002", 50), line(3, 1, "INV-00003", 20)]
    done = settle(invoices, [payment(1, 150)], lines, Terms())
    assert told(done) == [(1, 1, 100, "full", "review"), (2, 1, 50, "full", "review")]
    assert "more than the 150.00 that were paid" in done.applications[0].reason
    assert [refused.line for refused in done.refused] == [3]


def test_lines_without_amounts_take_what_is_open() -> None:
    lines = [line(1, 1, "INV-00001", None), line(2, 1, "INV-00002", None)]
    done = settle([invoice(1, 100), invoice(2, 50)], [payment(1, 150)], lines, Terms())
    assert told(done) == [(1, 1, 100, "full", "auto"), (2, 1, 50, "full", "auto")]


def test_a_payment_without_advice_may_name_invoices_in_its_text() -> None:
    invoices = [invoice(12, 100), invoice(13, 50), invoice(14, 50)]
    payments = [replace(payment(1, 150), text="Inv 12 / INV-00013"), replace(payment(2, 30), text="ref 14, chq 13")]
    lines = lines_in_texts(invoices, payments, [])
    assert [(line.payment_row, line.reference) for line in lines] == [(1, "Inv 12"), (1, "INV-00013")]
    done = settle(invoices, payments, lines, Terms())
    assert told(done) == [(12, 1, 100, "full", "auto"), (13, 1, 50, "full", "auto")]


def test_a_payment_without_advice_settles_the_one_set_that_sums_to_it() -> None:
    invoices = [invoice(1, 100), invoice(2, 50), invoice(3, 31), invoice(4, 150, OAK)]
    done = settle(invoices, [payment(1, 150, "Elm Trading")], [], Terms())
    assert told(done) == [(1, 1, 100, "full", "auto"), (2, 1, 50, "full", "auto")]
    assert {one.verdict for one in done.applications} == {"unique"}


def test_several_payments_without_advice_settle_the_one_invoice_that_they_sum_to() -> None:
    done = settle([invoice(1, 100), invoice(2, 45)], [payment(1, 40), payment(2, 60)], [], Terms())
    assert told(done) == [(1, 1, 40, "partial", "auto"), (1, 2, 60, "partial", "auto")]


def test_sets_with_alternatives_wait_for_a_person() -> None:
    invoices = [invoice(1, 100), invoice(2, 50), invoice(3, 50), invoice(4, 70)]
    done = settle(invoices, [payment(1, 150)], [], Terms())
    assert {(one.outcome, one.verdict) for one in done.applications} == {("review", "2 alternatives")}


def test_two_payments_that_want_the_same_invoice_wait_for_a_person() -> None:
    invoices = [invoice(1, 100), invoice(2, 50), invoice(3, 25)]
    done = settle(invoices, [payment(1, 150), payment(2, 125)], [], Terms())
    assert {one.outcome for one in done.applications} == {"review"}


def test_nothing_crosses_currencies_or_the_window() -> None:
    other = replace(invoice(1, 100), currency="USD")
    assert settle([other], [payment(1, 100)], [line(1, 1, "INV-00001", 100)], Terms()).applications == ()
    early = invoice(1, 100, day=-300)
    assert settle([early], [payment(1, 100)], [], Terms()).applications == ()


# What holds whatever comes in


def as_items(world: World) -> tuple[list[Item], list[Item], list[Line]]:
    cent = 10_000
    invoices = [
        Item(row, one.cents * cent, "", one.issued.toordinal(), one.customer, one.number)
        for row, one in enumerate(world.invoices, start=1)
    ]
    payments = [
        Item(row, one.cents * cent, "", one.received.toordinal(), one.payer, one.number)
        for row, one in enumerate(world.payments, start=1)
    ]
    row_of = {item.reference: item.row for item in payments}
    lines = [
        Line(number, row_of[one.payment], one.invoice, one.cents * cent, one.memo)
        for number, one in enumerate(world.advice, start=1)
    ]
    return invoices, payments, lines


def assert_money_holds(invoices: Sequence[Item], payments: Sequence[Item], done: Settled) -> None:
    """Nothing is applied beyond an invoice or a payment, and no pair is applied twice."""
    of_invoice: Counter[int] = Counter()
    of_payment: Counter[int] = Counter()
    for one in done.applications:
        assert one.applied
        of_invoice[one.ours_row] += one.applied
        of_payment[one.theirs_row] += one.applied
    for items, applied in ((invoices, of_invoice), (payments, of_payment)):
        for item in items:
            low, high = sorted((0, item.amount))
            assert low <= applied[item.row] <= high
    pairs = [(one.ours_row, one.theirs_row) for one in done.applications]
    assert len(pairs) == len(set(pairs))
    assert {left.theirs_row for left in done.unapplied}.isdisjoint(row for _, row in pairs)
    assert {item.row for item in payments if item.amount} == {row for _, row in pairs} | {
        left.theirs_row for left in done.unapplied
    }


@pytest.mark.parametrize(("size", "seed"), [(12, 1), (40, 2), (120, 3), (120, 4), (500, 5)])
def test_worlds_of_payments_are_settled_as_they_were_meant(size: int, seed: int) -> None:
    world = make_world(size, seed)
    invoices, payments, lines = as_items(world)
    done = settle(invoices, payments, lines, Terms())
    assert_money_holds(invoices, payments, done)
    name = {("ours", item.row): item.reference for item in invoices}
    name |= {("theirs", item.row): item.reference for item in payments}
    auto = {(name["theirs", a.theirs_row], name["ours", a.ours_row]) for a in done.applications if a.outcome == "auto"}
    right = len(auto & set(world.truth))
    assert right >= 0.99 * len(auto), sorted(auto - set(world.truth))
    assert right >= 0.96 * len(world.truth), sorted(set(world.truth) - auto)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_without_advice_what_is_taken_is_right(seed: int) -> None:
    world = make_world(150, seed)
    invoices, payments, _ = as_items(world)
    done = settle(invoices, payments, [], Terms())
    assert_money_holds(invoices, payments, done)
    name = {item.row: item.reference for item in invoices}
    paid = {item.row: item.reference for item in payments}
    auto = {(paid[a.theirs_row], name[a.ours_row]) for a in done.applications if a.outcome == "auto"}
    assert len(auto & set(world.truth)) >= 0.98 * len(auto)
    assert len(auto) >= 0.5 * len(world.truth)


@pytest.mark.parametrize("seed", [7, 8])
def test_the_order_of_rows_and_lines_does_not_matter(seed: int) -> None:
    invoices, payments, lines = as_items(make_world(80, seed))
    former = settle(invoices, payments, lines, Terms())
    rng = Random(seed)
    for items in (invoices, payments, lines):
        rng.shuffle(items)  # type: ignore[arg-type]
    assert settle(invoices, payments, lines, Terms()) == former


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_no_advice_however_wrong_applies_money_that_is_not_there(data: st.DataObject) -> None:
    units = st.integers(-5, 20).filter(bool)
    party = st.sampled_from([ELM, OAK, "ELM", ""])
    invoices = [invoice(row, data.draw(units), data.draw(party)) for row in range(data.draw(st.integers(0, 6)))]
    payments = [payment(row, data.draw(units), data.draw(party)) for row in range(data.draw(st.integers(0, 5)))]
    references = st.sampled_from(["INV-00000", "INV-00001", "inv 2", "INV-3", "PO-9", ""])
    lines = [
        line(number, data.draw(st.integers(0, 5)), data.draw(references), data.draw(st.none() | units))
        for number in range(data.draw(st.integers(0, 8)))
    ]
    assert_money_holds(invoices, payments, settle(invoices, payments, lines, Terms()))


@pytest.mark.parametrize("seed", range(8))
def test_what_comes_far_behind_the_likeliest_is_left_out_and_changes_nothing(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = Random(seed)
    invoices, payments, lines = as_items(make_world(90, seed))
    one = invoices[0].party
    invoices = [replace(item, party=rng.choice([one, item.party, ""])) for item in invoices]
    payments = [replace(item, party=rng.choice([one, item.party, ""])) for item in payments]
    lines = [
        replace(item, reference=_mistyped(item.reference, rng), amount=_paid_short(item.amount, rng)) for item in lines
    ]
    found = settle(invoices, payments, lines, Terms())
    monkeypatch.setattr(Advised, "choices", partialmethod(Advised.choices, is_whole=True))
    assert settle(invoices, payments, lines, Terms()) == found


def _paid_short(amount: int | None, rng: Random) -> int | None:
    return amount * rng.choice([100, 98, 50, 130]) // 100 if amount and rng.random() < 0.5 else amount


def _mistyped(reference: str, rng: Random) -> str:
    at = rng.randrange(1, len(reference))
    typed = [reference[:at] + reference[at + 1 :], reference[:at] + "7" + reference[at:], reference[3:].lstrip("0"), ""]
    typed.append(reference[: at - 1] + reference[at] + reference[at - 1] + reference[at + 1 :])
    return rng.choice(typed) if rng.random() < 0.4 else reference
