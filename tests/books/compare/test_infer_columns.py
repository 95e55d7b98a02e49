"""Which column is which: found by name and by content, whatever the headers are called and wherever they stand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.books.compare.builders import Columns, amounts, get_decision, infer_plan, references
from tieout.books.compare.infer import PlanUndecided
from tieout.engine.plan import Compared, Plan, SignedColumn

ROWS = 24
IDS = references(ROWS)
AMOUNTS = amounts(ROWS)
DAYS = [f"2026-01-{row % 28 + 1:02}" for row in range(ROWS)]
CUSTOMERS = [
    f"{('Acme', 'Beta', 'Ceres', 'Delta', 'Echo')[row % 5]} {('Ltd', 'GmbH', 'Inc')[row % 3]} branch {row}"
    for row in range(ROWS)
]
CURRENCIES = [("EUR", "USD", "CHF", "EUR")[row % 4] for row in range(ROWS)]
LEDGER = {"invoice": IDS, "amount": AMOUNTS, "date": DAYS, "customer": CUSTOMERS, "currency": CURRENCIES}


def _roles(plan: Plan, side: str) -> dict[str, object]:
    """Return who plays which role on a side."""
    chosen = getattr(plan, side)
    return {
        "key": chosen.key,
        "amount": tuple(term.column for term in chosen.amount),
        "date": chosen.date,
        "currency": chosen.currency,
    }


def _compared(plan: Plan) -> set[tuple[str, str]]:
    return {(item.ours, item.theirs) for item in plan.compared}


def _renamed(table: Columns, **names: str) -> dict[str, object]:
    return {names.get(name, name): values for name, values in table.items()}


def _negative(values: list[str]) -> list[str]:
    return [f"-{value}" for value in values]


def _cents(values: list[str]) -> list[str]:
    return [str(int(Decimal(value) * 100)) for value in values]


# Correspondence


def test_a_file_and_its_copy_correspond_column_by_column() -> None:
    plan = infer_plan(LEDGER, LEDGER)
    assert _roles(plan, "ours") == {"key": ("invoice",), "amount": ("amount",), "date": "date", "currency": "currency"}
    assert plan.ours == plan.theirs
    assert _compared(plan) == {("currency", "currency"), ("customer", "customer"), ("date", "date")}
    assert min(decision.confidence for decision in plan.decisions) >= 0.8


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["Invoice No.", "AMOUNT", "Date", "Customer", "Currency"], id="spelling"),
        pytest.param(["invoice_id", "total_amount", "invoiceDate", "customerName", "ccy"], id="synonyms"),
        pytest.param(["Rechnungsnummer", "Betrag", "Buchungsdatum", "Kunde", "Währung"], id="German"),
        pytest.param(["Numéro de facture", "Montant", "Date", "Client", "Devise"], id="French"),
        pytest.param(["Nº factura", "Importe", "Fecha", "Cliente", "Divisa"], id="Spanish"),
        pytest.param(["c1", "c2", "c3", "c4", "c5"], id="names that say nothing"),
        pytest.param(['a"b', "x=y", "rowid", "row_no", " "], id="names that are awkward in SQL"),
    ],
)
def test_renamed_columns_are_found_again(names: list[str]) -> None:
    theirs = dict(zip(names, LEDGER.values(), strict=True))
    plan = infer_plan(LEDGER, theirs)
    key, amount, day, customer, currency = names
    assert _roles(plan, "theirs") == {"key": (key,), "amount": (amount,), "date": day, "currency": currency}
    assert _compared(plan) == {("currency", currency), ("customer", customer), ("date", day)}


def test_columns_found_by_their_values_alone_are_said_and_less_sure_the_more_rows_differ() -> None:
    changed = {**LEDGER, "customer": [*CUSTOMERS[:18], *references(6, "new customer")]}
    named = get_decision(infer_plan(LEDGER, changed), "compared")
    found = get_decision(infer_plan(LEDGER, _renamed(changed, customer="c4")), "compared")
    assert named.evidence == "3 by name"
    assert found.evidence == "2 by name; by their values: customer = c4"
    assert found.confidence < named.confidence


def test_swapped_headers_do_not_mislead() -> None:
    plan = infer_plan(LEDGER, _renamed(LEDGER, invoice="customer", customer="invoice"))
    assert (plan.ours.key, plan.theirs.key) == (("invoice",), ("customer",))
    assert ("customer", "invoice") in _compared(plan)


def test_swapped_headers_of_two_amounts_are_set_right_by_paired_rows() -> None:
    taxes = [f"{Decimal(value) / 5:.2f}" for value in AMOUNTS]
    plan = infer_plan(
        {"id": IDS, "net amount": AMOUNTS, "tax amount": taxes},
        {"id": IDS, "net amount": taxes, "tax amount": AMOUNTS},
    )
    assert (plan.ours.amount, plan.theirs.amount) in {
        ((SignedColumn("net amount"),), (SignedColumn("tax amount"),)),
        ((SignedColumn("tax amount"),), (SignedColumn("net amount"),)),
    }


def test_swapped_headers_of_two_texts_are_set_right_by_paired_rows() -> None:
    billed = [("Berlin", "Paris", "Rome")[row % 3] for row in range(ROWS)]
    shipped = [("Rome", "Berlin", "Paris", "Oslo")[row % 4] for row in range(ROWS)]
    plan = infer_plan(
        {"id": IDS, "amount": AMOUNTS, "billing city": billed, "shipping city": shipped},
        {"id": IDS, "amount": AMOUNTS, "billing town": shipped, "shipping town": billed},
    )
    assert _compared(plan) == {("billing city", "shipping town"), ("shipping city", "billing town")}


def test_the_order_of_columns_does_not_matter() -> None:
    turned = dict(reversed(LEDGER.items()))
    assert infer_plan(LEDGER, turned) == infer_plan(LEDGER, LEDGER)


def test_a_repeated_column_is_taken_once() -> None:
    theirs = {**LEDGER, "amount_1": AMOUNTS, "invoice_1": IDS}
    plan = infer_plan(LEDGER, theirs)
    assert plan.theirs.key == ("invoice",)
    assert plan.theirs.amount == (SignedColumn("amount"),)
    assert len({item.theirs for item in plan.compared}) == len(plan.compared)


def test_columns_of_one_side_only_are_not_compared() -> None:
    plan = infer_plan({**LEDGER, "clerk": CUSTOMERS[::-1]}, {**LEDGER, "batch": references(ROWS, "B")})
    assert {"clerk", "batch"}.isdisjoint({name for pair in _compared(plan) for name in pair})
    assert set(plan.ours.columns) == {*LEDGER, "clerk"}


def test_own_numbers_of_each_side_are_not_compared_although_they_have_one_name() -> None:
    plan = infer_plan({**LEDGER, "entry": references(ROWS, "A")}, {**LEDGER, "entry": references(ROWS, "Z")})
    assert ("entry", "entry") not in _compared(plan)
    decision = get_decision(plan, "not compared")
    assert (decision.choice, decision.evidence) == ("entry", "equal on only 0% of paired rows: each side has its own")


def test_digits_that_are_text_here_and_numbers_there_are_compared_as_one_kind() -> None:
    stores = [str(100 + row % 7) for row in range(ROWS)]
    plan = infer_plan(
        {"id": IDS, "amount": AMOUNTS, "store_id": stores}, {"id": IDS, "amount": AMOUNTS, "store": stores}
    )
    (item,) = plan.compared
    assert (item.ours, item.theirs) == ("store_id", "store")
    assert plan.ours.columns["store_id"].kind == plan.theirs.columns["store"].kind == item.kind


def test_what_tells_about_loading_is_not_compared() -> None:
    loaded = {**LEDGER, "_synced_at": DAYS, "dbt_loaded": CUSTOMERS}
    plan = infer_plan(loaded, loaded)
    assert _compared(plan) == _compared(infer_plan(LEDGER, LEDGER))


def test_that_loading_is_not_compared_is_said() -> None:
    loaded = {**LEDGER, "_synced_at": DAYS, "_file": CUSTOMERS}
    said = [decision for decision in infer_plan(loaded, loaded).decisions if decision.subject == "not compared"]
    assert [(decision.choice, decision.option) for decision in said] == [("_file, _synced_at", "--plan")]


def test_a_column_with_an_underscore_before_its_name_is_compared_as_any_other() -> None:
    marked = {"id": LEDGER["invoice"], "amount": AMOUNTS, "_status": CUSTOMERS, "_day": DAYS}
    assert {("_status", "_status"), ("_day", "_day")} <= _compared(infer_plan(marked, marked))


def test_a_column_to_ignore_plays_no_role() -> None:
    plan = infer_plan(LEDGER, LEDGER, ignore=("customer", "date=date", "currency"))
    assert plan.compared == ()
    assert (plan.ours.date, plan.ours.currency, plan.ours.text) == (None, None, ())


# Keys


def test_the_key_is_the_column_that_identifies_a_row_on_both_sides() -> None:
    decision = get_decision(infer_plan(LEDGER, LEDGER), "key")
    assert decision.choice == "invoice"
    assert decision.evidence.startswith("unique on both sides, 24 of 24 values in common")
    assert (decision.confidence, decision.option) == (0.99, "--on")


def test_of_several_keys_that_pair_the_same_rows_the_one_named_as_a_key_is_taken() -> None:
    plan = infer_plan(LEDGER | {"memo": references(ROWS, "M")}, LEDGER | {"memo": references(ROWS, "M")})
    assert plan.ours.key == ("invoice",)
    assert "; memo and customer would pair the same rows" in get_decision(plan, "key").evidence


def test_of_two_keys_the_one_is_taken_whose_rows_agree_in_the_rest() -> None:
    ours = {"order_id": references(ROWS, "O"), "invoice_id": IDS, "amount": AMOUNTS, "date": DAYS}
    plan = infer_plan(ours, ours | {"order_id": references(ROWS, "O")[::-1]})
    assert plan.ours.key == ("invoice_id",)
    plan = infer_plan(ours, ours | {"invoice_id": IDS[::-1]})
    assert plan.ours.key == ("order_id",)


def test_a_key_is_found_although_most_rows_are_on_one_side_only() -> None:
    more = 5 * ROWS
    ours = {"id": references(more), "amount": amounts(more)}
    theirs = {"id": [*references(4), *references(40, "OTHER")], "amount": [*amounts(more)[:4], *amounts(40)]}
    assert infer_plan(ours, theirs).ours.key == ("id",)


def test_a_key_with_a_few_duplicates_is_still_a_key() -> None:
    repeated = [*IDS[:-1], IDS[0]]
    plan = infer_plan(LEDGER | {"invoice": repeated}, LEDGER)
    assert plan.ours.key == ("invoice",)
    assert "unique in 95.8% of ours and 100% of theirs" in get_decision(plan, "key").evidence


def test_keys_are_found_where_cases_or_zeros_differ_only_by_content_that_is_the_same() -> None:
    plan = infer_plan({"id": IDS, "amount": AMOUNTS}, {"c7": IDS[::-1], "c8": AMOUNTS[::-1]})
    assert (plan.ours.key, plan.theirs.key) == (("id",), ("c7",))


def test_a_counter_of_rows_is_no_key() -> None:
    counter = [str(row) for row in range(1, ROWS + 1)]
    ours = {"no": counter, "amount": AMOUNTS, "day": DAYS}
    theirs = {"no": counter, "amount": AMOUNTS[::-1], "day": DAYS[::-1]}
    plan = infer_plan(ours, theirs)
    assert plan.ours.key == ()
    decision = get_decision(plan, "key")
    assert decision.choice == "none"
    assert "(no: values in common, but the rows have nothing else in common)" in decision.evidence


def test_whole_numbers_are_a_key_where_the_rows_they_pair_agree() -> None:
    numbers = [str(row) for row in range(1, ROWS + 1)]
    plan = infer_plan({"no": numbers, "amount": AMOUNTS}, {"no": numbers[::-1], "amount": AMOUNTS[::-1]})
    assert plan.ours.key == ("no",)
    assert "would meet in 100% by accident" in get_decision(plan, "key").evidence


def test_several_columns_are_the_key_where_none_is_alone() -> None:
    table = {
        "store": [f"S{row % 6:02}" for row in range(ROWS)],
        "day": [f"2026-01-{row // 6 + 1:02}" for row in range(ROWS)],
        "amount": AMOUNTS,
    }
    plan = infer_plan(table, {"shop": table["store"], "Datum": table["day"], "Summe": AMOUNTS})
    pairs = set(zip(plan.ours.key, plan.theirs.key, strict=True))
    assert pairs == {("store", "shop"), ("day", "Datum")}


def test_three_columns_are_the_key_where_two_are_not_enough() -> None:
    count = 60
    table = {
        "store": [f"S{row % 5:02}" for row in range(count)],
        "till": [f"T{row // 5 % 4}" for row in range(count)],
        "day": [f"2026-01-{row // 20 + 1:02}" for row in range(count)],
        "amount": amounts(count),
    }
    plan = infer_plan(table, table)
    assert set(plan.ours.key) == {"store", "till", "day"}


def test_the_key_that_the_user_names_is_taken() -> None:
    plan = infer_plan(LEDGER, _renamed(LEDGER, customer="kunde"), on=("customer=kunde",))
    assert (plan.ours.key, plan.theirs.key) == (("customer",), ("kunde",))
    decision = get_decision(plan, "key")
    assert decision.confidence == 1.0
    assert decision.evidence.startswith("as you said; ")


def test_the_counterpart_of_a_key_named_for_one_side_is_found() -> None:
    plan = infer_plan(LEDGER, _renamed(LEDGER, invoice="Rechnungsnr"), on=("invoice",))
    assert plan.theirs.key == ("Rechnungsnr",)
    plan = infer_plan(LEDGER, _renamed(LEDGER, invoice="Rechnungsnr"), on=("rechnungsnr",))
    assert plan.ours.key == ("invoice",)


def test_several_columns_that_the_user_names_are_one_key() -> None:
    plan = infer_plan(LEDGER, LEDGER, on=("customer", "date"))
    assert plan.ours.key == ("customer", "date")


# Groups


def _payouts(count: int, parts: int) -> tuple[Columns, Columns]:
    values = amounts(count * parts)
    lines = {
        "payout": [f"PO-{row // parts:04}" for row in range(count * parts)],
        "line": references(count * parts, "L"),
        "amount": values,
    }
    totals = [sum(map(Decimal, values[parts * row : parts * (row + 1)])) for row in range(count)]
    return lines, {"payout_id": [f"PO-{row:04}" for row in range(count)], "total": [str(total) for total in totals]}


def test_parts_that_sum_to_payouts_are_grouped() -> None:
    parts, payouts = _payouts(8, 4)
    plan = infer_plan(parts, payouts)
    assert (plan.ours.group, plan.theirs.group) == (("payout",), ("payout_id",))
    assert (plan.ours.key, plan.theirs.key) == ((), ())
    decision = get_decision(plan, "group")
    assert decision.evidence.endswith("amounts tie in sum for 8 of 8 groups")
    assert decision.option == "--group-by"
    assert decision.confidence >= 0.95


@pytest.mark.parametrize("name", ["payout", "payout_id", "batch"])
def test_groups_that_are_merely_counted_are_told_by_their_sums(name: str) -> None:
    parts, payouts = _payouts(8, 4)
    counted = [str(row // 4 + 1) for row in range(32)]
    plan = infer_plan({name: counted, "amount": parts["amount"]}, {name: counted[::4], "total": payouts["total"]})
    assert plan.ours.group == (name,)
    assert plan.ours.columns[name].kind == plan.theirs.columns[name].kind == "text"


def test_rows_that_are_merely_counted_are_no_groups() -> None:
    _, payouts = _payouts(8, 4)
    counted = [str(row // 4 + 1) for row in range(32)]
    with pytest.raises(PlanUndecided, match="amounts alone do not tell"):
        infer_plan({"batch": counted, "amount": amounts(40)[8:]}, {"batch": counted[::4], "total": payouts["total"]})


def test_payouts_of_ours_against_parts_of_theirs_are_grouped_too() -> None:
    parts, payouts = _payouts(8, 4)
    plan = infer_plan(payouts, parts)
    assert (plan.ours.group, plan.theirs.group) == (("payout_id",), ("payout",))


def test_a_group_has_no_single_row_to_compare_columns_with() -> None:
    parts, payouts = _payouts(8, 4)
    plan = infer_plan(
        {**parts, "shop": ["Berlin"] * 16 + ["Paris"] * 16}, {**payouts, "shop": ["Berlin"] * 4 + ["Paris"] * 4}
    )
    assert plan.ours.group == ("payout",)
    assert plan.compared == ()


def test_some_groups_that_do_not_tie_lower_the_confidence_and_are_counted() -> None:
    parts, payouts = _payouts(8, 4)
    broken = {**payouts, "total": ["1.00", "2.00", "3.00", *payouts["total"][3:]]}
    decision = get_decision(infer_plan(parts, broken), "group")
    assert decision.evidence.endswith("amounts tie in sum for 5 of 8 groups")
    assert decision.confidence < get_decision(infer_plan(parts, payouts), "group").confidence


def test_rows_that_repeat_an_invoice_in_full_are_duplicates_and_no_parts() -> None:
    repeated = {
        "invoice": [*IDS, *IDS[:4]],
        "amount": [*AMOUNTS, *AMOUNTS[:4]],
    }
    plan = infer_plan(repeated, {"invoice": IDS, "amount": AMOUNTS})
    assert plan.ours.key == ("invoice",)
    said = "unique on both sides (4 rows of ours set aside as exact copies), 24 of 24 values in common"
    assert get_decision(plan, "key").evidence.startswith(said)


def test_rows_that_repeat_an_invoice_with_another_memo_are_duplicates_and_no_parts() -> None:
    repeated = {
        "invoice": [*IDS, *IDS[:4]],
        "amount": [*AMOUNTS, *AMOUNTS[:4]],
        "memo": [*["first"] * ROWS, *["once more"] * 4],
    }
    plan = infer_plan(repeated, {"invoice": IDS, "amount": AMOUNTS})
    assert plan.ours.key == ("invoice",)
    assert "a single row and not the sum is equal in 4 of 4" in get_decision(plan, "key").evidence


@pytest.mark.parametrize("times", [2, 3])
def test_a_table_that_is_there_several_times_over_has_its_key_all_the_same(times: int) -> None:
    repeated = {name: values * times for name, values in LEDGER.items()}
    alone, once_more = infer_plan(LEDGER, LEDGER), infer_plan(LEDGER, repeated)
    assert once_more.theirs.key == alone.theirs.key == ("invoice",)
    assert once_more.theirs.amount == (SignedColumn("amount"),)
    assert once_more.compared == alone.compared
    assert f"{(times - 1) * ROWS} rows of theirs set aside" in get_decision(once_more, "key").evidence
    assert infer_plan(repeated, repeated).ours.key == ("invoice",)


def test_two_equal_lines_of_an_order_are_parts_of_it_and_no_copies() -> None:
    lines = {"order": [order for order in IDS for _ in range(2)], "amount": [a for a in AMOUNTS for _ in range(2)]}
    orders = {"order": IDS, "amount": [str(2 * Decimal(value)) for value in AMOUNTS]}
    plan = infer_plan(orders, lines)
    assert (plan.ours.group, plan.theirs.group) == (("order",), ("order",))


def test_a_key_that_half_the_rows_leave_blank_yields_to_one_that_all_have() -> None:
    half = [value if row % 2 else "" for row, value in enumerate(references(ROWS, "ORDER"))]
    table = {"order_reference": half, "booking_id": IDS, "amount": AMOUNTS, "date": DAYS}
    assert infer_plan(table, table).ours.key == ("booking_id",)


def test_the_group_that_the_user_names_is_taken() -> None:
    parts, payouts = _payouts(8, 4)
    plan = infer_plan(parts, payouts, group_by="payout=payout_id")
    assert plan.ours.group == ("payout",)
    assert get_decision(plan, "group").confidence == 1.0


# Amounts


def test_credit_and_debit_columns_are_one_amount() -> None:
    debits = [value if row % 2 else "" for row, value in enumerate(AMOUNTS)]
    credits_ = ["" if row % 2 else value for row, value in enumerate(AMOUNTS)]
    signed = [f"-{value}" if row % 2 else value for row, value in enumerate(AMOUNTS)]
    ours = {"id": IDS, "Debit": debits, "Credit": credits_}
    plan = infer_plan(ours, {"id": IDS, "amount": signed})
    assert plan.ours.amount == (SignedColumn("Credit"), SignedColumn("Debit", -1))
    assert plan.theirs.amount == (SignedColumn("amount"),)
    assert get_decision(plan, "amount").evidence == "equal in 100% of 24 paired rows"
    plan = infer_plan(
        {**ours, "Debit": [f"-{value}" if value else "" for value in debits]}, {"id": IDS, "amount": signed}
    )
    assert plan.ours.amount == (SignedColumn("Credit"), SignedColumn("Debit"))


def test_soll_and_haben_against_paid_in_and_paid_out() -> None:
    ours = {
        "id": IDS,
        "Soll": [value if row % 3 else "" for row, value in enumerate(AMOUNTS)],
        "Haben": ["" if row % 3 else value for row, value in enumerate(AMOUNTS)],
    }
    plan = infer_plan(ours, {"id": IDS, "withdrawals": ours["Soll"], "deposits": ours["Haben"]})
    assert plan.ours.amount == (SignedColumn("Haben"), SignedColumn("Soll", -1))
    assert plan.theirs.amount == (SignedColumn("deposits"), SignedColumn("withdrawals", -1))


def test_a_flipped_sign_is_turned_round_and_said() -> None:
    plan = infer_plan({"id": IDS, "amount": AMOUNTS}, {"id": IDS, "amount": _negative(AMOUNTS)})
    assert plan.ours.amount == (SignedColumn("amount"),)
    assert plan.theirs.amount == (SignedColumn("amount", -1),)
    decision = get_decision(plan, "sign")
    assert (decision.choice, decision.option) == ("theirs is turned round", "--amount")
    assert decision.evidence == "theirs is the negative of ours, so that 100% of 24 paired rows tie"


@pytest.mark.parametrize("name", ["amount", "amount_cents"])
def test_cents_against_units_are_scaled_and_said(name: str) -> None:
    units, cents = {"id": IDS, "amount": AMOUNTS}, {"id": IDS, name: _cents(AMOUNTS)}
    plan = infer_plan(units, cents)
    assert (plan.ours.amount_exponent, plan.theirs.amount_exponent) == (0, -2)
    assert get_decision(plan, "scale").choice == "theirs is in hundredths"
    plan = infer_plan(cents, units)
    assert (plan.ours.amount_exponent, plan.theirs.amount_exponent) == (-2, 0)
    assert get_decision(plan, "scale").choice == "ours is in hundredths"


def test_cents_with_the_other_sign_are_scaled_and_turned() -> None:
    plan = infer_plan({"id": IDS, "amount": AMOUNTS}, {"id": IDS, "amount": _negative(_cents(AMOUNTS))})
    assert plan.theirs.amount == (SignedColumn("amount", -1),)
    assert plan.theirs.amount_exponent == -2


def test_names_that_speak_of_cents_scale_both_sides_alike() -> None:
    cents = {"id": IDS, "amount_cents": _cents(AMOUNTS)}
    plan = infer_plan(cents, cents)
    assert (plan.ours.amount_exponent, plan.theirs.amount_exponent) == (-2, -2)
    assert get_decision(plan, "scale").choice == "both in hundredths"


def test_units_that_are_called_cents_on_one_side_are_believed_by_their_values() -> None:
    plan = infer_plan({"id": IDS, "amount": AMOUNTS}, {"id": IDS, "amount cents": AMOUNTS})
    assert plan.ours.amount_exponent == plan.theirs.amount_exponent


def test_totals_of_credits_and_debits_in_one_row_are_two_amounts() -> None:
    """An account's turnover: every row has both, so that one less the other is no payment."""
    turnover = {"account": IDS, "credit": AMOUNTS, "debit": AMOUNTS[::-1]}
    plan = infer_plan(turnover, {"account": IDS, "amount": AMOUNTS})
    assert plan.ours.amount == (SignedColumn("credit"),)
    assert infer_plan(turnover, turnover).ours.amount != (SignedColumn("credit"), SignedColumn("debit", -1))


def test_credit_and_debit_are_one_amount_though_a_row_of_totals_has_both() -> None:
    debits = [*(value if row % 2 else "0.00" for row, value in enumerate(AMOUNTS)), "900.00"]
    credits_ = [*("" if row % 2 else value for row, value in enumerate(AMOUNTS)), "800.00"]
    booked = {"id": [*IDS, "TOTAL-00001"], "debit": debits, "credit": credits_}
    plan = infer_plan(booked, booked)
    assert plan.ours.amount == (SignedColumn("credit"), SignedColumn("debit", -1))


def test_no_amount_is_compared_when_the_user_says_so() -> None:
    plan = infer_plan(LEDGER, LEDGER, amount="none")
    assert plan.ours.amount == plan.theirs.amount == ()
    decision = get_decision(plan, "amount")
    assert (decision.choice, decision.confidence) == ("none", 1.0)
    assert ("amount", "amount") in _compared(plan)


def test_gross_against_net_is_told_from_paired_rows() -> None:
    grosses = [f"{Decimal(value) * Decimal('1.19'):.2f}" for value in AMOUNTS]
    plan = infer_plan(
        {"id": IDS, "net": AMOUNTS, "gross": grosses, "tax": ["0.19"] * ROWS}, {"id": IDS, "amount": AMOUNTS}
    )
    assert plan.ours.amount == (SignedColumn("net"),)


def test_an_amount_in_another_notation_is_the_same_amount() -> None:
    comma = [value.replace(".", ",") for value in AMOUNTS]
    plan = infer_plan({"id": IDS, "amount": AMOUNTS}, {"id": IDS, "Betrag": [f"{value} €" for value in comma]})
    assert plan.theirs.amount == (SignedColumn("Betrag"),)
    assert get_decision(plan, "amount").evidence == "equal in 100% of 24 paired rows"


def test_an_amount_in_another_currency_is_converted_by_the_rate_that_stands_beside_it() -> None:
    rates = [f"1.{row % 7 + 1:02}" for row in range(ROWS)]
    converted = [f"{round(Decimal(a) * Decimal(r), 2)}" for a, r in zip(AMOUNTS, rates, strict=True)]
    plan = infer_plan({"id": IDS, "amount": AMOUNTS, "exchange_rate": rates}, {"id": IDS, "amount": converted})
    assert (plan.ours.converts, plan.ours.fx_rate) == (True, "exchange_rate")
    assert not plan.theirs.converts


def test_fee_quantity_and_rate_are_found_by_name() -> None:
    table = {
        "id": IDS,
        "amount": AMOUNTS,
        "fee": [f"0.{row + 10}" for row in range(ROWS)],
        "quantity": [str(row % 5 + 1) for row in range(ROWS)],
        "exchange_rate": ["1.10"] * ROWS,
    }
    plan = infer_plan(table, table)
    assert (plan.ours.fee, plan.ours.quantity, plan.ours.fx_rate) == ("fee", "quantity", "exchange_rate")
    assert not plan.ours.converts


@pytest.mark.parametrize(
    ("asked", "ours", "theirs"),
    [
        ("net", (SignedColumn("net"),), (SignedColumn("net"),)),
        ("gross=net", (SignedColumn("gross"),), (SignedColumn("net"),)),
        ("gross - tax=net", (SignedColumn("gross"), SignedColumn("tax", -1)), (SignedColumn("net"),)),
        ("net + tax=gross", (SignedColumn("net"), SignedColumn("tax")), (SignedColumn("gross"),)),
    ],
)
def test_the_amount_that_the_user_names_is_taken(
    asked: str, ours: tuple[SignedColumn, ...], theirs: tuple[SignedColumn, ...]
) -> None:
    table = {"id": IDS, "net": AMOUNTS, "tax": ["1.00"] * ROWS, "gross": [str(Decimal(a) + 1) for a in AMOUNTS]}
    plan = infer_plan(table, table, amount=asked)
    assert (plan.ours.amount, plan.theirs.amount) == (ours, theirs)
    assert get_decision(plan, "amount").confidence == 1.0


# Currencies


def test_currency_columns_are_found_by_their_codes() -> None:
    plan = infer_plan(LEDGER, _renamed(LEDGER, currency="x"))
    assert (plan.ours.currency, plan.theirs.currency) == ("currency", "x")
    assert get_decision(plan, "currency").evidence == "currency holds currency codes; x holds currency codes"


@pytest.mark.parametrize(
    ("name", "written", "code"),
    [
        ("amount", "€{}", "EUR"),
        ("amount", "{} €", "EUR"),
        ("amount", "£{}", "GBP"),
        ("amount", "US${}", "USD"),
        ("amount", "CHF {}", "CHF"),
        ("amount", "{} SEK", "SEK"),
        ("amount_eur", "{}", "EUR"),
        ("Betrag (CHF)", "{}", "CHF"),
    ],
)
def test_the_currency_of_amounts_is_told_by_their_signs_codes_or_name(name: str, written: str, code: str) -> None:
    table = {"id": IDS, name: [written.format(value) for value in AMOUNTS]}
    plan = infer_plan(table, table)
    assert (plan.ours.currency, plan.ours.currency_constant) == (None, code)
    assert get_decision(plan, "currency").choice == code


def test_a_side_that_states_no_currency_has_that_of_the_other_side() -> None:
    plan = infer_plan({**LEDGER, "currency": ["CHF"] * ROWS}, {"invoice": IDS, "amount": AMOUNTS})
    assert plan.ours.currency == "currency"
    assert plan.theirs.currency_constant == "CHF"
    decision = get_decision(plan, "currency")
    assert "ours.csv is all in CHF, the other side states none" in decision.evidence
    assert decision.confidence <= 0.7


def test_amounts_are_compared_without_currency_when_the_user_says_that_there_is_none() -> None:
    plan = infer_plan(LEDGER, {"invoice": IDS, "amount": AMOUNTS}, currency="none")
    for side in (plan.ours, plan.theirs):
        assert (side.currency, side.currency_constant) == (None, "")
    decision = get_decision(plan, "currency")
    assert (decision.choice, decision.confidence) == ("none", 1.0)


def test_a_dollar_sign_is_taken_for_us_dollars_with_less_confidence() -> None:
    dollars = {"id": IDS, "amount": [f"${value}" for value in AMOUNTS]}
    euros = {"id": IDS, "amount": [f"€{value}" for value in AMOUNTS]}
    unsure, sure = (get_decision(infer_plan(table, table), "currency") for table in (dollars, euros))
    assert (unsure.choice, sure.choice) == ("USD", "EUR")
    assert unsure.confidence < sure.confidence


@pytest.mark.parametrize(
    ("asked", "column", "constant"), [("currency", "currency", ""), ("eur", None, "EUR"), ("USD=currency", None, "USD")]
)
def test_the_currency_that_the_user_names_is_taken(asked: str, column: str | None, constant: str) -> None:
    plan = infer_plan(LEDGER, LEDGER, currency=asked)
    assert (plan.ours.currency, plan.ours.currency_constant) == (column, constant)
    assert get_decision(plan, "currency").confidence == 1.0


# Dates and texts


def test_the_date_is_the_one_that_is_near_on_paired_rows() -> None:
    late = [f"2026-03-{row % 28 + 1:02}" for row in range(ROWS)]
    ours = {"id": IDS, "amount": AMOUNTS, "order date": late, "payment date": DAYS}
    plan = infer_plan(ours, {"id": IDS, "amount": AMOUNTS, "date": DAYS})
    assert (plan.ours.date, plan.theirs.date) == ("payment date", "date")


def test_the_date_that_the_user_names_is_taken() -> None:
    table = {**LEDGER, "due date": DAYS[::-1]}
    plan = infer_plan(table, table, date="due date")
    assert (plan.ours.date, plan.theirs.date) == ("due date", "due date")


def test_the_text_that_the_user_names_is_taken() -> None:
    table = {**LEDGER, "memo": CUSTOMERS[::-1]}
    plan = infer_plan(table, table, text="customer=memo")
    assert (plan.ours.text, plan.theirs.text) == (("customer",), ("memo",))


def test_without_a_key_rows_are_matched_by_likeness_within_the_days_that_rows_lie_apart() -> None:
    count = 40
    days = [f"2026-{row // 28 + 1:02}-{row % 28 + 1:02}" for row in range(count)]
    later = [f"2026-{(row + 2) // 28 + 1:02}-{(row + 2) % 28 + 1:02}" for row in range(count)]
    booked = {"booked": days, "amount": amounts(count), "memo": ["rent", "fuel", "food", "wage"] * 10}
    bank = {"value date": later, "amount": amounts(count), "purpose": ["RENT", "Fuel", "Food", "Wages"] * 10}
    plan = infer_plan(booked, bank)
    assert plan.ours.key == plan.ours.group == ()
    assert 2 <= plan.rules.window_days <= 10
    decision = get_decision(plan, "window")
    assert decision.option == "--window-days"
    assert "rows paired by a unique amount" in decision.evidence
    assert infer_plan(booked, bank, window_days=7).rules.window_days == 7


def test_times_that_differ_on_every_row_are_compared_and_not_taken_for_each_sides_own() -> None:
    ours = {"id": IDS, "ts": [str(1_700_000_000_000_000_000 + row) for row in range(ROWS)]}
    theirs = {"id": IDS, "ts": [str(1_700_000_000_000_000_500 + row) for row in range(ROWS)]}
    plan = infer_plan({**ours, "amount": AMOUNTS}, {**theirs, "amount": AMOUNTS})
    assert ("ts", "ts") in _compared(plan)


def test_the_only_column_beside_the_key_is_compared_though_it_never_agrees() -> None:
    ours, theirs = {"id": IDS, "batch": references(ROWS, "A")}, {"id": IDS, "batch": references(ROWS, "B")}
    assert _compared(infer_plan(ours, theirs, on=("id",))) == {("batch", "batch")}
    beside = {"amount": AMOUNTS}
    assert _compared(infer_plan({**ours, **beside}, {**theirs, **beside}, on=("id",))) == set()


def test_compared_columns_are_named_by_ours_and_have_a_kind() -> None:
    plan = infer_plan(LEDGER, _renamed(LEDGER, customer="Kunde"))
    assert Compared("customer", "customer", "Kunde", "text") in plan.compared
    assert Compared("date", "date", "date", "date") in plan.compared


# Columns of one name that hold different kinds


@pytest.mark.parametrize("stray", ["abc", "99999999999999999999", "1.2.3.4"])
def test_an_amount_by_name_stays_an_amount_where_one_of_two_values_is_none(stray: str) -> None:
    ours = {"id": ["A1", "A2"], "amount": ["10.00", "20.00"]}
    plan = infer_plan(ours, {**ours, "amount": ["10.00", stray]})
    assert plan.theirs.amount == (SignedColumn("amount"),)


def test_a_date_by_name_stays_a_date_where_one_of_two_values_is_none() -> None:
    ours = {"id": ["A1", "A2"], "date": ["2026-01-02", "2026-01-03"], "note": ["x", "y"]}
    plan = infer_plan(ours, {**ours, "date": ["2026-01-02", "soon"]})
    assert (plan.ours.date, plan.theirs.date) == ("date", "date")


@pytest.mark.parametrize("is_turned", [False, True])
@pytest.mark.parametrize(
    ("name", "values", "others"),
    [
        ("qty", AMOUNTS, ["many"] * ROWS),
        ("amount", AMOUNTS, ["unknown"] * ROWS),
        ("date", DAYS, ["some day"] * ROWS),
        ("date", DAYS, AMOUNTS),
        ("qty", AMOUNTS, DAYS),
    ],
)
def test_columns_of_one_name_and_two_kinds_are_compared_as_texts(
    name: str, values: list[str], others: list[str], *, is_turned: bool
) -> None:
    ours, theirs = {"id": IDS, name: values}, {"id": IDS, name: others}
    plan = infer_plan(theirs, ours) if is_turned else infer_plan(ours, theirs)
    assert plan.compared == (Compared(name, name, name, "text"),)
    assert {side.columns[name].kind for side in (plan.ours, plan.theirs)} == {"text"}


def test_an_order_and_its_line_are_a_key_together_and_a_quantity_is_part_of_none() -> None:
    orders, lines = [str(4_500_000 + row // 3) for row in range(60)], [str(10 * (row % 3 + 1)) for row in range(60)]
    quantities = [str(1 + 7 * row % 31) for row in range(60)]
    values = amounts(60)
    ours = {"PO": orders, "PO Line": lines, "Qty": quantities, "Amount": values}
    theirs = {"Invoice": [f"I{o}" for o in orders], "PO Number": orders, "Line": lines, "Quantity": quantities}
    plan = infer_plan(ours, theirs | {"Total": ["1.00", *values[1:]]})
    assert (plan.ours.key, plan.theirs.key) == (("PO", "PO Line"), ("PO Number", "Line"))
    assert "Qty" in {item.name for item in plan.compared}


def test_a_batch_is_found_behind_the_words_of_a_bank() -> None:
    batches = [f"B{row // 4:03}" for row in range(80)]
    nets = [f"{row % 7 + 10}.{row + 10}" for row in range(80)]
    sums = [sum((Decimal(one) for one in nets[4 * at : 4 * at + 4]), Decimal(0)) for at in range(20)]
    ours = {"batch": batches, "gross": [f"{Decimal(one) + 1}" for one in nets], "net": nets}
    theirs = {"Text": [f"ADYEN BATCH B{at:03} NV" for at in range(20)], "Amount": [str(one) for one in sums]}
    plan = infer_plan(ours, theirs)
    assert (plan.ours.group, plan.theirs.group, plan.ours.amount[0].column) == (("batch",), ("Text",), "net")


def test_an_amount_that_names_its_currency_has_it_whatever_the_codes_beside_another_say() -> None:
    paid, codes = amounts(24), ["USD", "GBP", "EUR"] * 8
    booked = [f"{Decimal(one) * 2}" for one in paid]
    ours = {"id": references(24), "amount": paid, "currency": codes, "amount_eur": booked}
    plan = infer_plan(ours, {"id": references(24), "amount": booked, "currency": ["EUR"] * 24})
    assert (plan.ours.amount[0].column, plan.ours.currency, plan.ours.currency_constant) == ("amount_eur", None, "EUR")
    assert "currency" not in {item.name for item in plan.compared}


def _tickets(moment: str) -> tuple[Columns, list[str], list[str], list[str]]:
    """Return three tickets a day and store with the moment of each, and the days, stores and totals."""
    days = [f"2026-03-{at // 2 + 1:02}" for at in range(20) for _ in range(3)]
    stores = [("North", "South")[at % 2] for at in range(20) for _ in range(3)]
    values = amounts(60)
    tickets: Columns = {
        "store": stores,
        "sold": [moment.format(day) for day in days],
        "ticket": [f"T{row * 7 % 60:04}" for row in range(60)],
        "total": values,
    }
    sums = [str(sum((Decimal(one) for one in values[3 * at : 3 * at + 3]), Decimal(0))) for at in range(20)]
    return tickets, days[::3], stores[::3], sums


@pytest.mark.parametrize("moment", ["{}", "{} 09:15:00"])
def test_tickets_are_the_parts_of_the_total_of_their_day_and_store(moment: str) -> None:
    tickets, days, stores, sums = _tickets(moment)
    written = [f"{day[8:]}.{day[5:7]}.{day[:4]}" for day in days]
    plan = infer_plan(tickets, {"business date": written, "location": stores, "sales": sums})
    assert (plan.ours.group, plan.theirs.group) == (("store", "sold"), ("location", "business date"))


def test_days_whose_sums_do_not_tie_are_no_groups() -> None:
    tickets, days, stores, sums = _tickets("{}")
    others = [str(Decimal(one) + 3) for one in sums]
    theirs = {"business date": days, "location": stores, "sales": others, "text": [f"Till {at}" for at in range(20)]}
    assert infer_plan(tickets, theirs).theirs.group == ()


@pytest.mark.parametrize(("words", "compared"), [(("settled", "open"), []), (("open", "paid"), ["state"])])
def test_each_side_may_sort_rows_in_words_of_its_own(words: tuple[str, str], compared: list[str]) -> None:
    table = {"id": references(40), "amount": amounts(40)}
    kinds = ["paid" if row % 8 else "open" for row in range(40)]
    theirs = table | {"state": [words[0] if kind == "paid" else words[1] for kind in kinds]}
    plan = infer_plan(table | {"state": kinds}, theirs)
    assert [item.name for item in plan.compared] == compared


@pytest.mark.parametrize("told", ["{month:02}/2026", "{name} 2026", "{name}-26"])
def test_an_account_and_a_month_are_a_key_however_the_month_is_written(told: str) -> None:
    names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    rows = [(4000 + 10 * account, month) for account in range(5) for month in range(1, 13)]
    ours = {
        "account": [str(account) for account, _ in rows],
        "period": [f"2026-{month:02}" for _, month in rows],
        "balance": amounts(len(rows)),
    }
    theirs = ours | {"period": [told.format(month=month, name=names[month - 1]) for _, month in rows]}
    plan = infer_plan(ours, theirs)
    assert [set(side.key) for side in (plan.ours, plan.theirs)] == [{"account", "period"}] * 2
