"""A number that an amount cannot hold is set apart with its row and a reason; what fits is exact to the last micro."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.engine.builders import connection
from tieout.core.money import MAX_MICROS, from_micros
from tieout.engine.loading import Input
from tieout.engine.plan import ColumnType, Compared, Kind, Plan, SidePlan, SignedColumn
from tieout.engine.run import execute
from tieout.intake.reading import Direct
from tieout.intake.records import LINE, ROW_NO, Records

LARGEST = str(from_micros(MAX_MICROS))
NUMBER = ColumnType("number")


def _side(columns: Sequence[str], **roles: Any) -> SidePlan:
    kinds: dict[str, Kind] = {"id": "text", "day": "date"}
    given = {"key": ("id",), "amount": (SignedColumn("amount"),), **roles}
    return SidePlan(columns={name: ColumnType(kinds.get(name, "number")) for name in columns}, **given)


def _run(
    folder: Path,
    ours: pa.Table,
    theirs: pa.Table | None = None,
    con: duckdb.DuckDBPyConnection | None = None,
    compared: Sequence[str] = (),
    **roles: Any,
) -> dict[str, list[dict[str, Any]]]:
    """Reconcile ours with theirs (by default with itself) and return the facts."""
    inputs, plans = [], []
    for side, table in (("ours", ours), ("theirs", theirs if theirs is not None else ours)):
        path = folder / f"{side}.parquet"
        pq.write_table(table, path, row_group_size=2)
        names = tuple(name for name in table.column_names if name not in (ROW_NO, LINE))
        is_records = ROW_NO in table.column_names
        source = Records("csv", path, names, len(table)) if is_records else Direct("parquet", path, names)
        inputs.append(Input(path.name, side, 1, source))
        plans.append(_side(names, **roles))
    plan = Plan(*plans, compared=tuple(Compared(name, name, name, "number") for name in compared))
    facts = folder / "facts"
    facts.mkdir()
    execute(con or connection(), inputs[0], inputs[1], plan, run_id="0" * 16, fact_dir=facts)
    return {path.stem: pq.read_table(path).to_pylist() for path in facts.glob("*.parquet")}


def _as_text(values: Sequence[str | None], **others: Sequence[str | None]) -> pa.Table:
    numbers = range(1, len(values) + 1)
    return pa.table(
        {
            ROW_NO: pa.array(numbers, pa.int64()),
            LINE: pa.array([n + 1 for n in numbers], pa.int64()),
            "id": [f"R{n}" for n in numbers],
            "amount": pa.array(values, pa.string()),
            **{name: pa.array(cells, pa.string()) for name, cells in others.items()},
        }
    )


def _typed(values: Sequence[Any], kind: pa.DataType, **others: pa.Array) -> pa.Table:
    return pa.table(
        {"id": [f"R{n}" for n, _ in enumerate(values, start=1)], "amount": pa.array(values, kind), **others}
    )


def _refused(facts: dict[str, list[dict[str, Any]]], side: str = "ours") -> list[tuple[int, str, str]]:
    return [(q["row_no"], q["column"], q["reason_code"]) for q in facts["quarantine"] if q["side"] == side]


def _expected(facts: dict[str, list[dict[str, Any]]]) -> Decimal:
    (line,) = facts["balance"]
    return from_micros(int(line["expected_micros"]))


BEYOND = "9223372036854.775808"
TYPED = {
    "decimal": (pa.decimal128(38, 6), Decimal),
    "whole decimal": (pa.decimal128(38, 0), Decimal),
    "double": (pa.float64(), float),
    "integer": (pa.int64(), int),
    "unsigned integer": (pa.uint64(), int),
}


@pytest.mark.parametrize("name", TYPED)
@pytest.mark.parametrize("beyond", ["9223372036855", "12000000000000000"])
def test_a_typed_amount_beyond_64_bits_of_micros_is_set_apart(tmp_path: Path, name: str, beyond: str) -> None:
    kind, make = TYPED[name]
    facts = _run(tmp_path, _typed([make("5"), make("7"), make(beyond), None], kind))
    assert _refused(facts) == _refused(facts, "theirs") == [(3, "amount", "amount_too_large")]
    assert "too large" in facts["quarantine"][0]["reason"]
    assert _expected(facts) == 12


def test_a_decimal_of_more_digits_than_any_number_here_is_set_apart(tmp_path: Path) -> None:
    facts = _run(tmp_path, _typed([Decimal(5), Decimal(10) ** 36], pa.decimal128(38, 0)))
    assert _refused(facts) == [(2, "amount", "amount_too_large")]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("kind", [pa.float64(), pa.float32()])
def test_a_float_that_is_no_number_is_set_apart(tmp_path: Path, value: str, kind: pa.DataType) -> None:
    facts = _run(tmp_path, _typed([1.5, 2.5, 3.5, float(value)], kind))
    assert _refused(facts) == [(4, "amount", "not_a_number")]
    assert _expected(facts) == Decimal("7.5")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (BEYOND, "amount_too_large"),
        (f"-{BEYOND}", "amount_too_large"),
        ("1e13", "amount_too_large"),
        ("1e300", "amount_too_large"),
        ("\u20ac 12,000,000,000,000,000.00", "bad_number"),
        ("inf", "not_a_number"),
        ("ten", "bad_number"),
        ("12345678901234567890 or so", "bad_number"),
    ],
)
def test_a_text_that_is_no_amount_says_why(tmp_path: Path, text: str, code: str) -> None:
    facts = _run(tmp_path, _as_text(["5", text, "n/a", "7"]))
    assert _refused(facts) == [(2, "amount", code)]
    assert facts["quarantine"][0]["line"] == 3
    assert _expected(facts) == 12


@pytest.mark.parametrize(
    "table",
    [
        _as_text(["1", "2500000000000.5", LARGEST, f"-{LARGEST}"]),
        _typed([Decimal(v) for v in ("1", "2500000000000.5", LARGEST, f"-{LARGEST}")], pa.decimal128(38, 6)),
    ],
    ids=["text", "decimal"],
)
def test_amounts_up_to_the_limit_of_64_bits_are_kept_exactly(tmp_path: Path, table: pa.Table) -> None:
    facts = _run(tmp_path, table, theirs=table.slice(0, 1))
    assert facts["quarantine"] == []
    assert [d["amount_micros"] for d in facts["delta"]] == [2_500_000_000_000_500_000, MAX_MICROS, -MAX_MICROS]
    assert _expected(facts) == Decimal("2500000000001.5")


def test_a_trillion_written_with_a_currency_and_groups_is_read(tmp_path: Path) -> None:
    table = _as_text(["5", "VND 2,500,000,000,000"])
    columns = {"id": ColumnType("text"), "amount": ColumnType("number", group_mark=",")}
    path = tmp_path / "ours.parquet"
    pq.write_table(table, path)
    given = Input("ours.parquet", "ours", 1, Records("csv", path, ("id", "amount"), 2))
    side = SidePlan(columns=columns, key=("id",), amount=(SignedColumn("amount"),))
    execute(connection(), given, given, Plan(side, side), run_id="0" * 16, fact_dir=tmp_path)
    (line,) = pq.read_table(tmp_path / "balance.parquet").to_pylist()
    assert from_micros(int(line["expected_micros"])) == 2_500_000_000_005


# The role of a column


@pytest.mark.parametrize("as_text", [True, False])
def test_an_amount_in_thousands_that_overflows_is_set_apart(tmp_path: Path, as_text: bool) -> None:  # noqa: FBT001
    values = ["5", "9223372036.854775", "9223372037"]
    table = _as_text(values) if as_text else _typed([Decimal(v) for v in values], pa.decimal128(18, 6))
    facts = _run(tmp_path, table, amount_exponent=3)
    assert _refused(facts) == [(3, "amount", "amount_too_large")]
    assert _expected(facts) == Decimal("9223372041854.775")


@pytest.mark.parametrize("as_text", [True, False])
def test_a_file_in_cents_reaches_a_hundred_times_further(tmp_path: Path, as_text: bool) -> None:  # noqa: FBT001
    values = ["500", "922337203685477", "922337203685478"]
    table = _as_text(values) if as_text else _typed([int(v) for v in values], pa.int64())
    facts = _run(tmp_path, table, amount_exponent=-2)
    assert _refused(facts) == [(3, "amount", "amount_too_large")]
    assert _expected(facts) == Decimal("9223372036859.77")


@pytest.mark.parametrize("as_text", [True, False])
def test_a_fee_is_in_the_unit_of_the_amounts_and_set_apart_beyond_it(tmp_path: Path, as_text: bool) -> None:  # noqa: FBT001
    values, fees = ["5", "6", "7"], ["1", "-2", "9223372037"]
    if as_text:
        table = _as_text(values, fee=fees)
    else:
        table = _typed([int(v) for v in values], pa.int64(), fee=pa.array([int(fee) for fee in fees], pa.int64()))
    facts = _run(tmp_path, table, amount_exponent=3, fee="fee")
    assert _refused(facts) == [(3, "fee", "amount_too_large")]
    assert _expected(facts) == Decimal(11000)


def test_a_fee_in_cents_is_taken_off_in_cents(tmp_path: Path) -> None:
    gross, net = _as_text(["10000", "20000"], fee=["0", "0"]), _as_text(["9700", "20000"], fee=["300", "0"])
    facts = _run(tmp_path, gross, net, amount_exponent=-2, fee="fee")
    (delta,) = facts["delta"]
    assert (delta["amount_micros"], delta["fee_micros"], delta["unexplained_micros"]) == (3_000_000, 3_000_000, 0)


def test_columns_that_fit_alone_and_not_together_are_set_apart(tmp_path: Path) -> None:
    credit = ["5", "9000000000000", "9000000000000", None]
    debit = ["1", "9000000000000", "-9000000000000", "2"]
    table = _as_text(credit, debit=debit)
    facts = _run(tmp_path, table, amount=(SignedColumn("amount"), SignedColumn("debit", -1)))
    assert _refused(facts) == [(3, "amount", "amount_too_large")]
    assert _expected(facts) == 2


def test_one_column_too_large_does_not_leave_the_others_as_the_amount(tmp_path: Path) -> None:
    table = _as_text(["5", "1"], debit=["1", BEYOND])
    facts = _run(tmp_path, table, amount=(SignedColumn("amount"), SignedColumn("debit", -1)))
    assert _refused(facts) == [(2, "debit", "amount_too_large")]


def test_an_amount_that_overflows_when_it_is_converted_is_set_apart_and_an_unreadable_rate_too(tmp_path: Path) -> None:
    table = _as_text(["5", "900000000000", "5", "7"], fx=["2", "100", "about 1", None])
    facts = _run(tmp_path, table, fx_rate="fx", converts=True)
    assert _refused(facts) == [(2, "amount", "amount_too_large"), (3, "fx", "bad_number")]
    assert _expected(facts) == 10


@pytest.mark.parametrize("role", ["quantity", "fee"])
@pytest.mark.parametrize("as_text", [True, False])
def test_a_quantity_or_a_fee_beyond_64_bits_is_set_apart(tmp_path: Path, role: str, as_text: bool) -> None:  # noqa: FBT001
    values = ["5", "9223372036855", "6"]
    table = (
        _as_text(["1", "2", "3"], other=values)
        if as_text
        else _typed([1, 2, 3], pa.int32(), other=pa.array([int(v) for v in values], pa.int64()))
    )
    facts = _run(tmp_path, table, **{role: "other"})
    assert _refused(facts) == [(2, "other", "amount_too_large")]
    assert _expected(facts) == 4


def test_a_compared_number_may_be_larger_than_any_amount(tmp_path: Path) -> None:
    ours = _as_text(["1", "2"], meter=["123456789012345678901234.5", "7"])
    theirs = _as_text(["1", "2"], meter=["123456789012345678901234.4", "7"])
    facts = _run(tmp_path, ours, theirs, compared=["meter"])
    assert facts["quarantine"] == []
    assert [(d["ours_row"], d["column"], d["difference_micros"]) for d in facts["difference"]] == [(1, "meter", None)]


def test_an_amount_that_is_part_of_the_reference_is_read_with_the_same_care(tmp_path: Path) -> None:
    facts = _run(tmp_path, _as_text(["5", "ten", "2500000000000", BEYOND]), key=("id", "amount"))
    assert _refused(facts) == [(2, "amount", "bad_number"), (4, "amount", "amount_too_large")]
    assert _expected(facts) == 2_500_000_000_005


def test_a_day_that_was_read_as_a_number_and_is_none_is_set_apart(tmp_path: Path) -> None:
    table = pa.table({"id": ["A", "B"], "day": pa.array([20260131, 20261331], pa.int64()), "amount": [1, 2]})
    columns = {"id": ColumnType("text"), "day": ColumnType("date", date_format="%Y%m%d"), "amount": NUMBER}
    path = tmp_path / "file.parquet"
    pq.write_table(table, path)
    given = Input("file.parquet", "file", 1, Direct("parquet", path, tuple(columns)))
    side = SidePlan(columns=columns, key=("id",), amount=(SignedColumn("amount"),), date="day")
    execute(connection(), given, given, Plan(side, side), run_id="0" * 16, fact_dir=tmp_path)
    quarantined = pq.read_table(tmp_path / "quarantine.parquet").to_pylist()
    assert [(q["row_no"], q["column"], q["reason_code"]) for q in quarantined] == [(2, "day", "bad_date")] * 2


def test_a_reference_of_floating_point_beyond_any_integer_stays_text(tmp_path: Path) -> None:
    table = pa.table({"id": pa.array([1.0, 1e300, float("inf")]), "amount": [1, 2, 3]})
    facts = _run(tmp_path, table)
    assert len(facts["match"]) == 3


# Connections


def test_a_connection_takes_a_file_of_text_after_one_of_typed_columns_and_back(tmp_path: Path) -> None:
    con = duckdb.connect()
    for turn, table in enumerate((_typed([1], pa.int32()), _as_text(["1"]), _typed([1], pa.int32()))):
        folder = tmp_path / str(turn)
        folder.mkdir()
        assert _expected(_run(folder, table, con=con)) == 1


# Decimals of one type on both sides keep it


_OURS = ("1.00", "-20.25", "1200.50", "0.10", None, "999.99")
_THEIRS = ("1.00", "-20.50", "1200.50", None, "3.00", "999.9")
_SHORT = {
    "two places": (pa.decimal128(18, 2), pa.decimal128(18, 2)),
    "few digits": (pa.decimal128(7, 2), pa.decimal128(7, 2)),
    "six places": (pa.decimal128(18, 6), pa.decimal128(18, 6)),
    "other places": (pa.decimal128(18, 2), pa.decimal128(12, 4)),
    "more digits": (pa.decimal128(38, 2), pa.decimal128(38, 2)),
}


def _decimals(values: Sequence[str | None]) -> list[Decimal | None]:
    return [None if value is None else Decimal(value) for value in values]


@pytest.mark.parametrize("types", _SHORT.values(), ids=list(_SHORT))
def test_typed_decimals_differ_where_their_texts_do_and_by_as_much(
    tmp_path: Path, types: tuple[pa.DataType, pa.DataType]
) -> None:
    told, columns = [], ("amount", "fee")
    for form in ("typed", "text"):
        folder = tmp_path / form
        folder.mkdir()
        sides = [
            _typed(_decimals(values), kind, fee=pa.array(_decimals(values[::-1]), kind))
            if form == "typed"
            else _as_text(values, fee=values[::-1])
            for values, kind in zip((_OURS, _THEIRS), types, strict=True)
        ]
        facts = _run(folder, sides[0].slice(0, 6), sides[1], compared=columns)
        told.append({name: facts[name] for name in ("difference", "delta", "balance", "daily", "match")})
    assert told[0] == told[1]
    differing = [(d["ours_row"], d["column"]) for d in told[0]["difference"]]
    assert differing == [
        (1, "fee"),
        (2, "amount"),
        (2, "fee"),
        (3, "fee"),
        (4, "amount"),
        (5, "amount"),
        (5, "fee"),
        (6, "amount"),
    ]


@pytest.mark.parametrize("kind", [pa.decimal128(18, 2), pa.decimal128(7, 2)])
def test_a_row_without_a_partner_shows_its_decimals_as_the_file_has_them(tmp_path: Path, kind: pa.DataType) -> None:
    ours = _typed(_decimals(["1.00", "2.50"]), kind)
    facts = _run(tmp_path, ours, ours.slice(0, 1), compared=["amount"])
    assert [(row["amount_micros"], str(row["ours_amount"])) for row in facts["unmatched_ours"]] == [(2_500_000, "2.50")]


def test_a_trillion_on_one_side_alone_is_compared_with_what_is_short_on_the_other(tmp_path: Path) -> None:
    kind = pa.decimal128(18, 2)
    ours = _typed(_decimals(["1.00", "2500000000000.50"]), kind)
    theirs = _typed(_decimals(["1.00", "7.25"]), kind)
    facts = _run(tmp_path, ours, theirs, compared=["amount"])
    assert facts["quarantine"] == []
    assert [d["amount_micros"] for d in facts["delta"]] == [2_499_999_999_993_250_000]
    (cell,) = facts["difference"]
    assert (cell["ours_value"], cell["theirs_value"]) == ("2500000000000.5", "7.25")
