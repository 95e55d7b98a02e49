"""The scored pass with learned weights, from rows to matches: what it finds, and what must not change it."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta

import duckdb
import pytest

from tests.engine.builders import Result, Row, Side, permuted, plan_for, run, where_beginnings_tell_nothing
from tieout.engine.macros import add_likeness_macros
from tieout.engine.plan import Plan
from tieout.engine.scoring.pairing import HOPELESS

FIRST_DAY = date(2026, 1, 30)
MICROS = 1_000_000
COLUMNS = ("day", "currency", "amount", "text")
FIRST = (
    "Alba",
    "Brook",
    "Corvin",
    "Delta",
    "Ember",
    "Fjord",
    "Garnet",
    "Harbor",
    "Indigo",
    "Juniper",
    "Kestrel",
    "Lumen",
)
SECOND = ("Foods", "Metals", "Optics", "Freight", "Studio", "Dental", "Print", "Timber")
WINDOW_DAYS = 12


def world(facts: int, seed: int) -> tuple[Side, Side]:
    """Return payments as booked and as received, in this order.

    They come later by days, some less a fee, with memos cut or in capitals; one in ten is missing on either side.
    """
    rng = random.Random(seed)
    ours, theirs = [], []
    for number in range(facts):
        name = f"{rng.choice(FIRST)} {rng.choice(SECOND)} {rng.randrange(100, 999)}"
        day = FIRST_DAY + timedelta(days=rng.randrange(60))
        amount = rng.randrange(500, 90_000) * MICROS // 100
        row = Row(day=day, currency="EUR", amount=amount, text=name)
        fee = rng.choice([0, 0, amount // 50])
        memo = rng.choice([name, name.upper(), name.rsplit(" ", 1)[0]])
        other = replace(row, day=day + timedelta(days=rng.choice([0, 1, 1, 2, 3])), amount=amount - fee, text=memo)
        if number % 10 != 3:
            ours.append(row)
        if number % 10 != 7:
            theirs.append(other)
    return Side(tuple(ours), COLUMNS), Side(tuple(theirs), COLUMNS)


def truth_of(facts: int) -> set[tuple[int, int]]:
    """Return the rows of ours and theirs that are one fact, numbered from 1."""
    ours = [number for number in range(facts) if number % 10 != 3]
    theirs = {number: row for row, number in enumerate((n for n in range(facts) if n % 10 != 7), start=1)}
    return {(row, theirs[number]) for row, number in enumerate(ours, start=1) if number in theirs}


def learned_plan(ours: Side, theirs: Side) -> Plan:
    return plan_for(ours, theirs, compared=(), scoring="learned", window_days=WINDOW_DAYS, review_threshold=0.1)


def reconciled(ours: Side, theirs: Side) -> Result:
    return run(ours, theirs, learned_plan(ours, theirs))


def pairs(result: Result, outcome: str | None = None) -> set[tuple[int, int]]:
    return {
        (row["ours_row"], row["theirs_row"])
        for row in result.facts["match"]
        if outcome is None or row["outcome"] == outcome
    }


@pytest.mark.parametrize("facts", [40, 400])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_accepted_is_right_and_nearly_all_is_found(facts: int, seed: int) -> None:
    result = reconciled(*world(facts, seed))
    found, known = pairs(result, "auto"), truth_of(facts)
    assert len(found & known) >= 0.99 * len(found)
    assert len(found & known) >= 0.9 * len(known)


def test_the_order_of_the_rows_changes_no_match() -> None:
    ours, theirs = world(120, 5)
    rng = random.Random(9)
    left, right = (
        rng.sample(range(len(ours.rows)), len(ours.rows)),
        rng.sample(range(len(theirs.rows)), len(theirs.rows)),
    )
    before, after = reconciled(ours, theirs), reconciled(permuted(ours, left), permuted(theirs, right))
    moved = {(left[o - 1] + 1, right[t - 1] + 1) for o, t in pairs(after)}
    assert moved == pairs(before)
    assert after.outcome.learned == before.outcome.learned
    assert sorted(row["confidence"] for row in after.facts["match"]) == sorted(
        row["confidence"] for row in before.facts["match"]
    )


def test_to_swap_the_sides_swaps_the_pairs_and_nothing_else() -> None:
    ours, theirs = world(120, 6)
    assert {(o, t) for t, o in pairs(reconciled(theirs, ours))} == pairs(reconciled(ours, theirs))


def test_rows_of_another_currency_change_no_match() -> None:
    ours, theirs = world(80, 7)
    strangers = [replace(row, currency="JPY", amount=1 + row.amount * 7) for row in ours.rows[:30]]
    more = [Side((*side.rows, *strangers), COLUMNS) for side in (ours, theirs)]
    before, after = pairs(reconciled(ours, theirs), "auto"), pairs(reconciled(*more), "auto")
    assert {(o, t) for o, t in after if o <= len(ours.rows)} == before


def test_given_weights_make_the_same_result_as_learning_them() -> None:
    ours, theirs = world(80, 8)
    plan = learned_plan(ours, theirs)
    first = run(ours, theirs, plan)
    again = run(ours, theirs, replace(plan, learned=first.outcome.learned))
    assert again.contents == first.contents
    assert again.outcome.learned == first.outcome.learned


def test_two_that_cannot_be_told_apart_wait_for_a_person() -> None:
    ours, theirs = world(80, 4)
    one = theirs.rows[0]
    twins = [replace(one, amount=one.amount + MICROS // 100), replace(one, amount=one.amount - MICROS // 100)]
    ours = Side((*ours.rows, replace(one, day=one.day - timedelta(days=1), amount=one.amount)), COLUMNS)
    result = reconciled(ours, Side((*theirs.rows[1:], *twins), COLUMNS))
    row = next((row for row in result.facts["match"] if row["ours_row"] == len(ours.rows)), None)
    assert row is None or row["outcome"] == "review"


def test_every_candidate_tells_what_each_evidence_weighs() -> None:
    result = reconciled(*world(80, 8))
    levels = {(item.evidence, item.level): item for item in result.outcome.learned.levels}
    assert levels
    weighed = [row for row in result.facts["candidate"] if row["weight_pair"] is not None]
    assert weighed
    for row in weighed:
        assert row["weight_pair"] < 0
        assert row["score_time"] is None
        assert 0 <= row["score"] <= 1


def test_two_files_that_share_nothing_give_no_match() -> None:
    ours, _ = world(60, 10)
    theirs = Side(
        tuple(replace(row, amount=row.amount * 3 + 77 * MICROS, text=f"zz {n}") for n, row in enumerate(ours.rows)),
        COLUMNS,
    )
    assert pairs(reconciled(ours, theirs), "auto") == set()


def without_texts(facts: int, seed: int, lags: tuple[int, ...]) -> tuple[Side, Side, set[tuple[int, int]]]:
    """Return days and amounts, one in ten missing on either side, and the true pairs.

    One amount in five is one of forty round ones.
    """
    rng = random.Random(seed)
    sides: tuple[list[Row], list[Row]] = ([], [])
    truth = set()
    for number in range(facts):
        day = FIRST_DAY + timedelta(days=rng.randrange(30))
        cents = 2500 * rng.randrange(1, 41) if rng.random() < 0.2 else rng.randrange(500, 900_000)
        days = (day, day + timedelta(days=rng.choice(lags)))
        is_there = (number % 10 != 3, number % 10 != 7)
        for side, one, is_here in zip(sides, days, is_there, strict=True):
            side.extend([Row(day=one, currency="EUR", amount=cents * MICROS // 100)] * is_here)
        if all(is_there):
            truth.add((len(sides[0]), len(sides[1])))
    ours, theirs = (Side(tuple(side), ("day", "currency", "amount")) for side in sides)
    return ours, theirs, truth


def times(side: Side) -> Counter[int | None]:
    return Counter(row.amount for row in side.rows)


@pytest.mark.parametrize(("facts", "seed"), [(3000, 7), (6000, 5)])
def test_without_texts_a_round_amount_of_the_same_day_is_not_certain_where_partners_come_later(
    facts: int, seed: int
) -> None:
    ours, theirs, truth = without_texts(facts, seed, lags=(0, 1, 1, 2, 3))
    accepted = pairs(reconciled(ours, theirs), "auto")
    ours_times, theirs_times = times(ours), times(theirs)
    single = {
        (o, t) for o, t in truth if ours_times[ours.rows[o - 1].amount] == theirs_times[theirs.rows[t - 1].amount] == 1
    }
    assert single <= accepted
    assert len(accepted & truth) >= 0.95 * len(accepted)


def test_an_amount_that_stands_once_tells_as_much_beside_round_ones_that_many_rows_have() -> None:
    ours, theirs, truth = without_texts(12_000, seed=7, lags=(0, 1, 1, 2, 3))
    named = tuple(replace(row, text=f"{FIRST[n % 12]} {SECOND[n % 8]} {n}") for n, row in enumerate(ours.rows))
    silent = tuple(replace(row, text="") for row in theirs.rows)
    accepted = pairs(reconciled(Side(named, COLUMNS), Side(silent, COLUMNS)), "auto")
    assert len(accepted & truth) >= 0.75 * len(truth)
    assert len(accepted & truth) >= 0.99 * len(accepted)


def test_without_texts_rows_of_one_day_and_amount_are_certain_where_partners_come_the_same_day() -> None:
    ours, theirs, truth = without_texts(1500, seed=11, lags=(0,))
    accepted = pairs(reconciled(ours, theirs), "auto")
    assert len(accepted & truth) >= 0.97 * len(truth)


def test_a_few_rows_of_one_amount_are_each_matched_on_their_day() -> None:
    days = [FIRST_DAY + timedelta(days=number) for number in range(9)]
    side = Side(tuple(Row(day=day, currency="EUR", amount=5 * MICROS) for day in days), ("day", "currency", "amount"))
    assert pairs(reconciled(side, side), "auto") == {(row, row) for row in range(1, 10)}


def crowd(facts: int) -> tuple[Side, Side]:
    """Return payments of parties whose names all begin alike, of amounts that lie close, each less a fee."""
    rng = random.Random(12)
    ours = []
    for number in range(facts):
        name = f"Alba{number % 90:02}x Foods"
        day = FIRST_DAY + timedelta(days=rng.randrange(40))
        ours.append(Row(day=day, currency="EUR", amount=(50_000 + rng.randrange(900)) * MICROS // 100, text=name))
    theirs = [replace(row, day=row.day + timedelta(days=1), amount=row.amount * 98 // 100) for row in ours]
    return Side(tuple(ours), COLUMNS), Side(tuple(theirs), COLUMNS)


def test_in_a_crowd_of_near_amounts_and_equal_initials_a_word_that_few_share_brings_rows_together() -> None:
    facts = 180
    sides = crowd(facts)
    learned = reconciled(*sides).outcome.learned
    plan = replace(learned_plan(*sides), learned=where_beginnings_tell_nothing(learned))
    result = run(*sides, plan)
    by_rows = {step.rows for step in result.outcome.steps if step.name == "block_near_word"}
    assert by_rows
    assert max(by_rows) < facts * facts / 10
    found = pairs(result)
    assert len({(o, t) for o, t in found if o == t}) >= 0.95 * facts


def test_near_amounts_meet_by_a_word_that_many_share_where_the_texts_begin_otherwise() -> None:
    """A bank puts its own words first, and a party has many payments, few of one size at a time."""
    rng = random.Random(21)
    ours, theirs = [], []
    for number in range(300):
        name = f"{FIRST[number % 12]} {SECOND[number // 12 % 8]}"
        day = FIRST_DAY + timedelta(days=rng.randrange(90))
        amount = rng.randrange(500, 900_000) * MICROS // 100
        fee = amount // 200 if number % 3 == 0 else 0
        ours.append(Row(day=day, currency="EUR", amount=amount, text=f"Transfer in {number:05} {name.upper()}"))
        theirs.append(Row(day=day + timedelta(days=number % 3), currency="EUR", amount=amount - fee, text=name))
    sides = Side(tuple(ours), COLUMNS), Side(tuple(theirs), COLUMNS)
    learned = where_beginnings_tell_nothing(reconciled(*sides).outcome.learned)
    result = run(*sides, replace(learned_plan(*sides), learned=learned))
    assert next(step.rows for step in result.outcome.steps if step.name == "block_near_word") >= 95
    found = pairs(result)
    right = {(o, t) for o, t in found if o == t}
    assert len(right) >= 0.97 * len(found)
    assert len({o for o, _ in right if o % 3 == 1}) >= 95


def test_a_row_with_no_hope_keeps_its_likeliest_candidate() -> None:
    ours, theirs = world(120, 14)
    stranger = replace(ours.rows[0], amount=ours.rows[0].amount * 97 // 100, text="Zz Zebra Nothing")
    stranger = replace(stranger, day=stranger.day - timedelta(days=WINDOW_DAYS - 1))
    ours = Side((*ours.rows, stranger), COLUMNS)
    result = reconciled(ours, theirs)
    kept = [row for row in result.facts["candidate"] if row["weight_pair"] is not None]
    assert len([row for row in kept if row["score"] < 1 / 4097]) <= len(ours.rows) + len(theirs.rows)
    asked = {name: {row[f"{name}_row"] for row in kept} for name in ("ours", "theirs")}
    for name, rows in asked.items():
        for row in result.facts[f"unmatched_{name}"]:
            is_known = row[f"{name}_row"] in rows
            assert is_known == (" 0 in question" not in row["searched"])


def test_the_bound_of_hope_is_the_same_in_both_places() -> None:
    con = duckdb.connect()
    add_likeness_macros(con)
    assert con.sql(f"select is_hopeless({HOPELESS}), is_hopeless({HOPELESS} + 1)").fetchall() == [(True, False)]
