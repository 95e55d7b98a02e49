"""What holds for every input: money is conserved, order is nothing, a rerun is the same, strangers do not matter."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.builders import Result, Row, Side, permuted, plan_for, run
from tests.engine.oracle import PARTS
from tieout.engine import plan_steps
from tieout.engine.plan import Compared, Weights
from tieout.engine.projection import agrees_by_day

few_runs = settings(max_examples=5, deadline=None, derandomize=True, database=None)
"""A run takes a good part of a second whatever its size, so examples are few and their worlds are full."""

COLUMNS = ("id", "group", "day", "currency", "amount", "fee", "text", "unit", "note")
FIRST_DAY = date(2026, 2, 27)
MICROS = 1_000_000
NEVER = 1.5
"""A threshold that no score reaches."""

amounts = st.sampled_from([0, 5, 5, -5, 10, 20, 30]).flatmap(
    lambda units: st.sampled_from([0, 0, 0, 1, -1, 10_000]).map(lambda micros: units * MICROS + micros)
)
rows = st.builds(
    Row,
    id=st.none() | st.sampled_from(["R1", "R1", "R2", "R3", "R4", "R5"]),
    group=st.none() | st.none() | st.sampled_from(["G1", "G2"]),
    day=st.none() | st.sampled_from([0, 0, 1, 1, 2, 5]).map(lambda days: FIRST_DAY + timedelta(days=days)),
    currency=st.sampled_from(["EUR", "EUR", "USD"]),
    amount=st.one_of(st.none(), *[amounts] * 5),
    fee=st.none() | st.sampled_from([0, 1, 10_000, 5 * MICROS]),
    text=st.none() | st.sampled_from(["Acme rent", "acme Rent!", "rent", "payout 7", "payout 8"]),
    unit=st.none() | st.sampled_from(["berlin", "paris"]),
    note=st.none() | st.sampled_from(["x", "y"]),
)
sides = st.lists(rows, max_size=18).map(lambda found: Side(tuple(found), COLUMNS))
rules = st.fixed_dictionaries(
    {
        "tolerance": st.sampled_from(["0", "0", "0.01", "0.000001"]),
        "tolerance_ppm": st.sampled_from([0, 0, 1_000]),
        "window_days": st.sampled_from([0, 1, 4]),
        "weights": st.sampled_from([Weights(), Weights(0.3, 0.3, 0.1, 0.3)]),
        "review_threshold": st.sampled_from([0.3, 0.5]),
        "required_margin": st.sampled_from([0.0, 0.05]),
    }
)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Side, Side, dict[str, Any]]:
    """Draw both sides, theirs in part a copy of ours, and the rules."""
    ours, theirs = draw(sides), draw(sides)
    if ours.rows:
        echoes = draw(st.lists(st.sampled_from(ours.rows), max_size=12))
        theirs = Side((*theirs.rows, *echoes), COLUMNS)
    return ours, theirs, draw(rules)


def _totals(side: Side) -> Counter[str]:
    total: Counter[str] = Counter()
    for row in side.rows:
        total[row.currency or ""] += row.amount or 0
    return total


# Money and rows


@few_runs
@given(worlds())
def test_in_each_currency_expected_less_reported_is_the_sum_of_what_is_explained(
    world: tuple[Side, Side, dict[str, Any]],
) -> None:
    ours, theirs, chosen = world
    result = run(ours, theirs, plan_for(ours, theirs, **chosen))
    expected, reported = _totals(ours), _totals(theirs)
    lines = {line["currency"]: line for line in result.facts["balance"]}
    assert lines.keys() == expected.keys() | reported.keys()
    for currency, line in lines.items():
        explained = sum(line[f"{part}_micros"] for part in PARTS) + line["tolerated_micros"]
        of_deltas = sum(d["amount_micros"] or 0 for d in result.facts["delta"] if d["currency"] == currency)
        assert expected[currency] - reported[currency] == explained
        assert explained == of_deltas + line["tolerated_micros"]


@few_runs
@given(worlds(), st.sampled_from([(), (Compared("day", "day", "day", "date"),)]))
def test_each_day_has_the_money_and_the_rows_of_either_side(
    world: tuple[Side, Side, dict[str, Any]], more: tuple[Compared, ...]
) -> None:
    """Where days are compared, one side is read for the sums of both."""
    ours, theirs, chosen = world
    plan = plan_for(ours, theirs, **chosen)
    plan = replace(plan, compared=(*plan.compared, *more))
    assert agrees_by_day(plan) == bool(more)
    found = run(ours, theirs, plan).facts["daily"]
    for side, money, count in ((ours, "expected_micros", "ours_rows"), (theirs, "reported_micros", "theirs_rows")):
        micros, rows = Counter[Any](), Counter[Any]()
        for row in side.rows:
            micros[row.day, row.currency or ""] += row.amount or 0
            rows[row.day, row.currency or ""] += 1
        told = {(line["day"], line["currency"]): (line[money], line[count]) for line in found if line[count]}
        assert told == {place: (micros[place], rows[place]) for place in rows}


@few_runs
@given(worlds())
def test_the_parts_of_each_delta_sum_to_it(world: tuple[Side, Side, dict[str, Any]]) -> None:
    ours, theirs, chosen = world
    for delta in run(ours, theirs, plan_for(ours, theirs, **chosen)).facts["delta"]:
        assert sum(delta[f"{part}_micros"] for part in PARTS) == (delta["amount_micros"] or 0)


@few_runs
@given(worlds())
def test_each_row_ends_in_exactly_one_match_or_alone(world: tuple[Side, Side, dict[str, Any]]) -> None:
    ours, theirs, chosen = world
    result = run(ours, theirs, plan_for(ours, theirs, **chosen))
    for name, side in (("ours", ours), ("theirs", theirs)):
        matches = {(line[f"{name}_row"], line["match_id"]) for line in result.facts["match"]}
        ends = [row for row, _ in matches] + [line[f"{name}_row"] for line in result.facts[f"unmatched_{name}"]]
        assert sorted(ends) == list(range(1, len(side.rows) + 1))


# Order


def _by_content(result: Result, ours: Side, theirs: Side) -> dict[str, Any]:
    """Return the facts with the content of each row in place of its number."""

    def content(side: Side, number: int | None) -> Row | None:
        return None if number is None else side.rows[number - 1]

    facts = result.facts
    dropped = ("delta_id", "match_id", "ours_row", "theirs_row", "searched", "rank")
    found: dict[str, Any] = {}
    for name in ("match", "candidate", "delta", "difference", "unmatched_ours", "unmatched_theirs"):
        lines: Counter[Any] = Counter()
        for line in facts[name]:
            rest = tuple(value for key, value in line.items() if key not in dropped)
            is_group = str(line.get("reason_code", "")).startswith("group")
            who = () if is_group else (content(ours, line.get("ours_row")), content(theirs, line.get("theirs_row")))
            lines[who, rest] += 1
        found[name] = lines
    found["balance"], found["daily"] = facts["balance"], facts["daily"]
    return found


@few_runs
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_of_either_file_changes_nothing_but_row_numbers(
    world: tuple[Side, Side, dict[str, Any]], rnd: Any
) -> None:
    ours, theirs, chosen = world
    plan = plan_for(ours, theirs, **chosen)
    mixed = [permuted(side, rnd.sample(range(len(side.rows)), len(side.rows))) for side in (ours, theirs)]
    first, second = run(ours, theirs, plan), run(mixed[0], mixed[1], plan)
    one, other = _by_content(first, ours, theirs), _by_content(second, mixed[0], mixed[1])
    one.pop("candidate"), other.pop("candidate")  # which of equal rows is among the five best is nobody's business
    assert one == other
    assert first.summary == second.summary


# Runs


@few_runs
@given(worlds())
def test_a_rerun_writes_the_same_bytes(world: tuple[Side, Side, dict[str, Any]]) -> None:
    ours, theirs, chosen = world
    plan = plan_for(ours, theirs, **chosen)
    first, second = run(ours, theirs, plan), run(ours, theirs, plan)
    assert first.contents == second.contents
    assert first.summary == second.summary
    assert [(s.name, s.digest) for s in first.outcome.steps] == [(s.name, s.digest) for s in second.outcome.steps]


def test_the_number_of_threads_changes_no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty thousand rows are read in twenty pieces; some repeat, some differ, some are alone, some are only alike."""

    def row(n: int, shift: int) -> Row:
        ref = None if n % 50 == 0 else f"R{n + shift * (n % 17 == 0)}" if n % 31 else f"R{n // 7}"
        day = FIRST_DAY + timedelta(days=n % 40)
        return Row(
            id=ref, day=day, currency="EUR", amount=(n % 977) * MICROS + shift * (n % 13 == 0), text=f"no {n // 3}"
        )

    monkeypatch.setattr(plan_steps, "BUILT_BY_ONE_CORE", range(1_000_000))
    columns = ("id", "day", "currency", "amount", "text")
    ours, theirs = (Side(tuple(row(n, shift) for n in range(40_000)), columns) for shift in (0, 1))
    plan = plan_for(ours, theirs, window_days=3)
    contents = []
    for threads in (1, 2, 4):
        con = duckdb.connect()
        con.execute(f"set threads = {threads}; set TimeZone = 'UTC'")
        contents.append(run(ours, theirs, plan, con=con).contents)
    assert contents[0] == contents[1] == contents[2]


# Sides, strangers, thresholds

MIRRORED = {
    "underpay": "overpay",
    "overpay": "underpay",
    "missing": "unexpected",
    "unexpected": "missing",
    "duplicate": "duplicate",
    "currency_mismatch": "currency_mismatch",
    "value_mismatch": "value_mismatch",
}


@few_runs
@given(worlds())
def test_with_the_sides_exchanged_every_amount_changes_its_sign(world: tuple[Side, Side, dict[str, Any]]) -> None:
    ours, theirs, chosen = world
    chosen = {**chosen, "tolerance_ppm": 0, "window_days": 0, "review_threshold": NEVER, "auto_threshold": NEVER}

    def deltas(result: Result) -> list[tuple[str, int | None, str, int]]:
        names = ("kind", "amount_micros", "currency", "fee_micros")
        return [tuple(line[name] for name in names) for line in result.facts["delta"]]  # type: ignore[misc]

    straight = run(ours, theirs, plan_for(ours, theirs, **chosen))
    crossed = run(theirs, ours, plan_for(theirs, ours, **chosen))
    mirrored = Counter(
        (MIRRORED[kind], None if amount is None else -amount, currency, -fee)
        for kind, amount, currency, fee in deltas(crossed)
    )
    assert Counter(deltas(straight)) == mirrored


def _strange(side: Side) -> Side:
    """Return the side with its rows once more behind them: other references, currency and words, the same days."""
    strangers = [
        Row(
            **{
                **{name: getattr(row, name) for name in ("day", "amount", "fee", "unit", "note")},
                "id": None if row.id is None else f"far {row.id}",
                "group": None if row.group is None else f"far {row.group}",
                "currency": "CHF",
                "text": None if row.text is None else "stranger " + " ".join(f"far{word}" for word in row.text.split()),
            }
        )
        for row in side.rows
    ]
    return Side((*side.rows, *strangers), side.columns)


@few_runs
@given(worlds())
def test_the_rows_of_a_stranger_change_nothing_for_the_others(world: tuple[Side, Side, dict[str, Any]]) -> None:
    ours, theirs, chosen = world
    plan = plan_for(ours, theirs, **chosen)
    alone, together = run(ours, theirs, plan), run(_strange(ours), _strange(theirs), plan)

    def own(result: Result, fact: str) -> list[dict[str, Any]]:
        dropped = ("delta_id", "searched")
        kept = []
        for line in result.facts[fact]:
            is_strange = (line.get("ours_row") or 0) > len(ours.rows) or (line.get("theirs_row") or 0) > len(
                theirs.rows
            )
            if not is_strange and line.get("currency") != "CHF":
                kept.append({name: value for name, value in line.items() if name not in dropped})
        return kept

    for fact in ("match", "candidate", "difference", "delta", "unmatched_ours", "unmatched_theirs", "balance", "daily"):
        assert own(alone, fact) == own(together, fact), fact


@few_runs
@given(
    st.lists(st.integers(-(10**17), 10**17), min_size=1, max_size=8),
    st.integers(0, 10**12),
    st.sampled_from([0, 1, 999, 10_000, 1_000_000]),
    st.sampled_from([1, -1]),
)
@pytest.mark.parametrize("key", ["id", "group"])
def test_a_gap_of_exactly_the_tolerance_is_forgiven_and_one_micro_more_is_not(
    key: str, expected: list[int], tolerance: int, ppm: int, sign: int
) -> None:
    allowed = [max(tolerance, abs(amount) * ppm // 1_000_000) for amount in expected]
    ours = [Row(**{key: f"{n % 2} {n}"}, amount=amount, tax=amount) for n, amount in enumerate(expected * 2)]
    gaps = [sign * (most + is_over) for is_over in (0, 1) for most in allowed]
    theirs = [replace(row, amount=row.amount - gap, tax=row.amount - gap) for row, gap in zip(ours, gaps, strict=True)]
    left, right = (Side(tuple(found), (key, "amount", "tax")) for found in (ours, theirs))
    plan = plan_for(left, right, tolerance=f"{tolerance}e-6", tolerance_ppm=ppm)
    result = run(left, right, plan)
    over = [number for number, _ in enumerate(ours, start=1) if number > len(expected)]
    assert [line["ours_row"] for line in result.facts["delta"]] == over
    assert sum(line["amount_micros"] for line in result.facts["delta"]) == sum(gaps[len(expected) :])
    assert {line["ours_row"] for line in result.facts["difference"] if line["column"] == "tax"} == (
        set(over) if key == "id" else set()
    )
