"""A till against its deposits: all open rows of a day are a sum of the one row that has their total."""

from __future__ import annotations

import random
from datetime import date, timedelta

import duckdb
import pytest

from tests.engine.builders import Result, Row, Side, plan_for, run
from tieout.engine.steps import load_step

CENT = 10_000
COLUMNS = ("day", "amount", "text")
FIRST_DAY = date(2026, 3, 2)


def till(days: int, seed: int = 1) -> tuple[list[Row], list[Row]]:
    """Return a few tickets a day, and one deposit of each day on the next working day, among other payments."""
    rng = random.Random(seed)
    tickets, deposits = [], []
    for number in range(days):
        day = FIRST_DAY + timedelta(days=number)
        amounts = [rng.randrange(300, 20_000) * CENT for _ in range(rng.randrange(3, 8))]
        tickets += [Row(day=day, amount=amount, text=f"R{rng.randrange(10**6):06}") for amount in amounts]
        banked = day + timedelta(days=1)
        while banked.weekday() > 4:
            banked += timedelta(days=1)
        deposits.append(Row(day=banked, amount=sum(amounts), text="CARD DEPOSIT"))
    deposits += [
        Row(
            day=FIRST_DAY + timedelta(days=rng.randrange(days)),
            amount=-rng.randrange(9_000, 90_000) * CENT,
            text="RENT",
        )
        for _ in range(5)
    ]
    return tickets, deposits


def reconciled(ours: list[Row], theirs: list[Row], **rules: object) -> Result:
    mine, other = Side(tuple(ours), COLUMNS), Side(tuple(theirs), COLUMNS)
    return run(mine, other, plan_for(mine, other, compared=(), scoring="learned", review_threshold=0.1, **rules))


def sums(result: Result) -> dict[int, set[int]]:
    """Return for each deposit the tickets that were found to be its parts."""
    found: dict[int, set[int]] = {}
    for row in result.facts["application"]:
        if row["kind"] == "sum":
            found.setdefault(row["theirs_row"], set()).add(row["ours_row"])
    return found


def test_the_tickets_of_a_day_meet_their_deposit_whatever_days_it_takes() -> None:
    tickets, deposits = till(21)
    result = reconciled(tickets, deposits, window_days=10)
    wanted: dict[int, set[int]] = {}
    for number in range(21):
        day = FIRST_DAY + timedelta(days=number)
        wanted[number + 1] = {at for at, row in enumerate(tickets, start=1) if row.day == day}
    assert sums(result) == wanted
    assert {row["outcome"] for row in result.facts["match"]} == {"auto"}
    assert len(result.facts["unmatched_theirs"]) == 5
    assert not result.facts["unmatched_ours"]
    said = {row["reason"] for row in result.facts["application"] if row["kind"] == "sum"}
    assert all("open rows of ours of 2026-03-" in reason for reason in said)


def test_the_sides_may_be_the_other_way_round() -> None:
    tickets, deposits = till(9)
    found = reconciled(deposits, tickets, window_days=10).facts["match"]
    assert {(row["pass"], row["ours_row"]) for row in found} == {("sum", number + 1) for number in range(9)}
    assert len(found) == len(tickets)


def test_two_days_may_be_an_accident() -> None:
    tickets, deposits = till(2)
    assert sums(reconciled(tickets, deposits, window_days=10)) == {}


def test_a_total_that_two_deposits_have_is_left_to_a_person() -> None:
    tickets, deposits = till(9)
    result = reconciled(tickets, [*deposits, deposits[0]], window_days=10)
    assert set(sums(result)) == set(range(2, 10))


def test_a_deposit_beyond_the_window_is_another_one() -> None:
    tickets, deposits = till(9)
    late = [Row(day=row.day and row.day + timedelta(days=60), amount=row.amount, text=row.text) for row in deposits]
    assert sums(reconciled(tickets, late, window_days=10)) == {}


@pytest.mark.parametrize(("ruling", "left"), [("rejected", {2}), ("accepted", {1, 2})])
def test_a_sum_of_which_a_reviewer_rejected_a_pair_is_none(ruling: str, left: set[int]) -> None:
    con = duckdb.connect()
    con.execute(
        "create table sum_row as from (values (1, 1, 1), (1, 2, 1), (2, 3, 2)) s(match_id, ours_row, theirs_row)"
    )
    con.execute(
        "create table decided_pair as select 2 as ours_row, 1 as theirs_row, $ruling as ruling", {"ruling": ruling}
    )
    found = con.sql(load_step("unrejected_day_sum").sql)
    assert {match_id for match_id, *_ in found.fetchall()} == left
