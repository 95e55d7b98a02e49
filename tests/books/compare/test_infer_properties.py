"""What holds for every pair of inputs: order is nothing, names are hints, and what was written is read back."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.books.compare.builders import Columns, infer_plan, infer_types, profiled, references, values_read
from tieout.books.compare.correspondence import assign
from tieout.books.compare.infer import PlanUndecided
from tieout.books.compare.lags import MAX_DAYS, window_of
from tieout.books.compare.names import likeness, normalised, rarity
from tieout.books.compare.settled import number_marks
from tieout.core.errors import TieoutError
from tieout.engine.plan import ColumnType, Plan

few_plans = settings(max_examples=8, deadline=None, derandomize=True, database=None)
"""A plan takes about a tenth of a second whatever the size of its inputs."""
columns_each = settings(max_examples=14, deadline=None, derandomize=True, database=None)
"""Every example is a table with a column for each format, so that hundreds of columns are read."""
many = settings(max_examples=500, deadline=None, derandomize=True, database=None)

FIRST_DAY = date(2026, 1, 27)

# Tables


@dataclass(frozen=True)
class Pair:
    """Two tables that have rows in common."""

    ours: Columns
    theirs: Columns


_OPTIONAL = ("day", "customer", "currency", "store", "fee")


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """Draw a table and another that holds most of its rows, some of them changed, in another order."""
    count = draw(st.integers(4, 30))
    seed = draw(st.integers(0, 2**16))
    chance = random.Random(seed)
    columns = ["id", "amount", *draw(st.sets(st.sampled_from(_OPTIONAL)).map(sorted))]
    without_id = draw(st.booleans())
    repeats = draw(st.sampled_from([1, 1, 1, 3]))
    rows = [
        {
            "id": f"R-{number // repeats:04}",
            "amount": f"{chance.randint(-500, 5000)}.{chance.randint(0, 99):02}",
            "day": str(FIRST_DAY + timedelta(days=chance.randint(0, 40))),
            "customer": chance.choice(["Acme Ltd", "Beta GmbH", "Ceres Inc", "Delta Oy", "Echo SA"]),
            "currency": chance.choice(["EUR", "EUR", "USD"]),
            "store": chance.choice(["north", "south"]),
            "fee": f"0.{chance.randint(10, 30)}",
        }
        for number in range(count)
    ]
    others = [dict(row) for row in rows if chance.random() < 0.9]
    for row in others:
        if chance.random() < 0.1:
            row["amount"] = "1.00"
    chance.shuffle(others)
    assume(others)
    chosen = [name for name in columns if not (without_id and name == "id")]
    return Pair(*({name: [row[name] for row in side] for name in chosen} for side in (rows, others)))


def _plan(ours: Columns, theirs: Columns) -> Plan | str:
    """Return the plan, or the words of the refusal."""
    try:
        return infer_plan(ours, theirs)
    except TieoutError as refused:
        return str(refused)


def _reordered(table: Columns, order: random.Random) -> Columns:
    places = list(range(len(next(iter(table.values())))))
    order.shuffle(places)
    return {name: [values[place] for place in places] for name, values in table.items()}


def _columns_moved(table: Columns, order: random.Random) -> Columns:
    names = list(table)
    order.shuffle(names)
    return {name: table[name] for name in names}


@few_plans
@given(pairs(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(pair: Pair, order: random.Random) -> None:
    assert _plan(_reordered(pair.ours, order), _reordered(pair.theirs, order)) == _plan(pair.ours, pair.theirs)


@few_plans
@given(pairs(), st.randoms(use_true_random=False))
def test_the_order_of_columns_changes_nothing_but_their_listing(pair: Pair, order: random.Random) -> None:
    moved, given_ = _columns_moved(pair.ours, order), _columns_moved(pair.theirs, order)
    again, plan = _plan(moved, given_), _plan(pair.ours, pair.theirs)
    assert again == plan
    if isinstance(again, Plan):
        assert list(again.ours.columns) == list(moved)


@settings(few_plans, max_examples=5)
@given(pairs())
def test_inferring_twice_gives_the_same_plan(pair: Pair) -> None:
    assert _plan(pair.ours, pair.theirs) == _plan(pair.ours, pair.theirs)


def test_the_order_of_rows_changes_nothing_in_files_that_are_only_looked_at_in_part() -> None:
    count = 7_000
    order = random.Random(7)
    table = {
        "id": references(count),
        "amount": [f"{order.randint(0, 9999)},{order.randint(0, 99):02}" for _ in range(count)],
        "day": [f"{order.randint(1, 12):02}/{order.randint(1, 12):02}/2026" for _ in range(count - 1)] + ["31/12/2026"],
        "memo": [order.choice(["rent", "N/A", "", "fuel"]) for _ in range(count)],
    }
    plan = infer_plan(table, table)
    assert plan.ours.columns["day"].date_format == "%d/%m/%Y"
    assert infer_plan(_reordered(table, order), _columns_moved(_reordered(table, order), order)) == plan


# Names


_NEUTRAL = ("aa", "bb", "cc", "dd", "ee", "ff", "gg")


@few_plans
@given(st.permutations(_NEUTRAL), st.permutations(_NEUTRAL), st.integers(12, 30), st.integers(0, 2**16))
def test_names_that_say_nothing_leave_the_key_and_the_amount_that_contents_tell(
    ours_names: list[str], theirs_names: list[str], count: int, seed: int
) -> None:
    chance = random.Random(seed)
    ids = [f"PAY-{number:08}" for number in chance.sample(range(10**8), count)]
    table = {
        "id": ids,
        "amount": [f"{chance.randint(1, 50_000)}.{chance.randint(1, 99):02}" for _ in range(count)],
        "day": [str(FIRST_DAY + timedelta(days=chance.randint(0, 90))) for _ in range(count)],
        "customer": [chance.choice(["Acme Ltd", "Beta GmbH", "Ceres Inc"]) for _ in range(count)],
    }
    ours = {called: table[name] for called, name in zip(ours_names, table, strict=False)}
    theirs = _reordered({called: table[name] for called, name in zip(theirs_names, table, strict=False)}, chance)
    plan = infer_plan(ours, theirs)
    assert (plan.ours.key, plan.theirs.key) == ((ours_names[0],), (theirs_names[0],))
    assert tuple(term.column for term in (*plan.ours.amount, *plan.theirs.amount)) == (ours_names[1], theirs_names[1])


_WORDS = st.text(alphabet="abcdefgABC_- éÖ9", min_size=1, max_size=12)


@many
@given(_WORDS, _WORDS, st.lists(_WORDS, max_size=4))
def test_likeness_of_names_is_symmetric_and_only_whole_for_the_same_words(
    one: str, other: str, beside: list[str]
) -> None:
    weights = rarity([one, other, *beside])
    score = likeness(one, other, weights)
    assert 0 <= score <= 1
    assert abs(score - likeness(other, one, weights)) < 1e-9
    assert (score == 1) == (bool(normalised(one)) and normalised(one) == normalised(other))


# Assignment and window, against the obvious way


@many
@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(st.integers(0, 8).map(lambda n: n / 8), min_size=width, max_size=width), min_size=1, max_size=4
        )
    )
)
def test_columns_are_assigned_one_to_one_for_the_highest_sum(scores: list[list[float]]) -> None:
    chosen = assign(scores)
    assert len({row for row, _ in chosen}) == len({column for _, column in chosen}) == len(chosen)
    assert len(chosen) == min(len(scores), len(scores[0]))
    assert sum(scores[row][column] for row, column in chosen) == _best(scores, frozenset())


def _best(scores: list[list[float]], taken: frozenset[int]) -> float:
    if not scores:
        return 0.0
    rest = [scores[0][j] + _best(scores[1:], taken | {j}) for j in range(len(scores[0])) if j not in taken]
    return max([_best(scores[1:], taken), *rest])


@many
@given(
    st.dictionaries(st.integers(-120, 120), st.integers(1, 50)),
    st.dictionaries(st.integers(0, 200), st.floats(1, 1000, allow_nan=False)),
)
def test_a_window_holds_half_of_the_pairs_or_is_the_usual_one(lags: dict[int, int], chances: dict[int, float]) -> None:
    days, confidence, evidence = window_of(lags, chances)
    assert window_of({-lag: pairs for lag, pairs in lags.items()}, chances) == (days, confidence, evidence)
    if "usual window" in evidence:
        assert (days, confidence) == (30, 0.4)
    else:
        assert 0 <= days <= MAX_DAYS
        assert 2 * sum(pairs for lag, pairs in lags.items() if abs(lag) <= days) >= sum(lags.values())


# Rows that are looked at


def test_the_rows_that_are_looked_at_are_the_same_whatever_the_order_of_columns() -> None:
    """Only some rows of a long file are looked at; which ones their content decides, not the place of a column."""
    rnd = random.Random(3)
    table = {name: [str(rnd.randrange(10 ** rnd.randrange(1, 9))) for _ in range(4_000)] for name in "abcd"}
    looks = {c.name: (c.look.total, c.look.shapes) for c in profiled(table)}
    assert looks["a"][0] < 4_000
    for names in ("dcba", "bdac"):
        turned = {name: table[name] for name in names}
        assert {c.name: (c.look.total, c.look.shapes) for c in profiled(turned)} == looks


# Formats

_EXAMPLES = ("1234.56", "1234,56", "1,234.56", "1.234,56", "1 234,56", "1 234.56", "1'234.56", "1'234,56")
_DECORATIONS = ("{}", "{} EUR", "€{}", "CHF {}")
_SIGNED = ("-{}", "({})", "{}-", "\u2212{}")

cents = st.integers(-(10**9), 10**9)


def _written(value: int, decimal_mark: str, group_mark: str, decoration: str, negative: str) -> str:
    whole, part = divmod(abs(value), 100)
    bare = f"{whole:,}".replace(",", group_mark) + f"{decimal_mark}{part:02}"
    written = decoration.format(bare)
    return negative.format(written) if value < 0 else written


@columns_each
@given(
    st.lists(cents, min_size=3, max_size=20),
    st.integers(100_000, 10**9),
    st.sampled_from(_DECORATIONS),
    st.sampled_from(_SIGNED),
)
def test_amounts_are_read_in_the_very_format_they_were_written_in(
    values: list[int], large: int, decoration: str, negative: str
) -> None:
    values = [*values, large]
    columns = {
        example: [_written(value, *number_marks(example), decoration, negative) for value in values]
        for example in _EXAMPLES
    }
    types = infer_types(columns)
    assert types == {example: ColumnType("number", *number_marks(example)) for example in _EXAMPLES}
    example = _EXAMPLES[large % len(_EXAMPLES)]
    assert values_read(columns[example], types[example]) == [Decimal(value).scaleb(-2) for value in values]


_DATE_FORMATS = (
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y.%m.%d",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d.%m.%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
)


@columns_each
@given(st.lists(st.integers(0, 5_000), min_size=3, max_size=20), st.integers(13, 28), st.integers(1, 12))
def test_dates_are_read_in_the_very_format_they_were_written_in(offsets: list[int], day: int, month: int) -> None:
    # The last day tells day from month, and a year above 31 tells it from both.
    days = [date(2032, 1, 1) + timedelta(days=offset) for offset in offsets]
    days.append(date(2033, month, day))
    columns = {f"c{place}": [_moment(value, form) for value in days] for place, form in enumerate(_DATE_FORMATS)}
    types = infer_types(columns)
    assert [kind.date_format for kind in types.values()] == list(_DATE_FORMATS)
    name = f"c{day % 8}"
    assert values_read(columns[name], types[name]) == days


def _moment(day: date, form: str) -> str:
    return f"{day:{form.replace('%H:%M:%S', '13:14:15')}}"


@settings(columns_each, max_examples=40)
@given(
    st.lists(
        st.one_of(
            st.text(alphabet="0123456789.,'- ()€/:aEUR%", max_size=14),
            st.sampled_from(["", "N/A", "12", "1.5", "2026-01-05", "05/01/2026", "007"]),
            st.none(),
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from(["amount", "day", "id", "field"]),
)
def test_any_text_has_a_type_that_takes_most_of_it(values: list[str | None], name: str) -> None:
    kind = infer_types({name: values})[name]
    read = values_read(values, kind)
    filled = [value for value in values if value is not None and value.strip().casefold() not in ("", "n/a", "-")]
    if kind.kind != "text":
        assert 2 * sum(value is not None for value in read) >= len(filled)
    else:
        assert [value.strip() or None if value else None for value in values] == read


@settings(few_plans, max_examples=10)
@given(st.integers(0, 2**16), st.integers(1, 6), st.integers(1, 6))
def test_any_two_tables_give_a_plan_or_a_refusal_that_names_an_option(seed: int, width: int, other: int) -> None:
    chance = random.Random(seed)
    kinds = (
        lambda: chance.choice(["", "N/A", "x", "y y"]),
        lambda: str(chance.randint(0, 30)),
        lambda: f"{chance.randint(-99, 9999)}.{chance.randint(0, 99):02}",
        lambda: f"{chance.randint(1, 12)}/{chance.randint(1, 12)}/2026",
        lambda: chance.choice(["EUR", "USD", "eur "]),
        lambda: f"K{chance.randint(0, 40):04}",
    )
    names = ["id", "amount", "date", "Credit", "Debit", "rate", "currency", "a b", "=", "é"]
    tables = []
    for columns in (width, other):
        rows = chance.randint(1, 15)
        chosen = chance.sample(names, columns)
        tables.append(
            {
                name: [make() for _ in range(rows)]
                for name, make in zip(chosen, chance.choices(kinds, k=columns), strict=True)
            }
        )
    try:
        plan = infer_plan(*tables)
    except PlanUndecided as refused:
        assert "--" in refused.remedy
    else:
        assert all(0 <= decision.confidence <= 1 and decision.option.startswith("--") for decision in plan.decisions)
        assert (list(plan.ours.columns), list(plan.theirs.columns)) == (list(tables[0]), list(tables[1]))
