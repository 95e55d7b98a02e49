"""References, groups and units of one kind meet however each file spells them."""

from __future__ import annotations

import tempfile
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.engine.builders import RUN_ID, connection
from tieout.engine.loading import Input
from tieout.engine.plan import ColumnType, Kind, Plan, Rules, SidePlan, SignedColumn, Weights
from tieout.engine.run import execute
from tieout.intake.reading import Direct

Typed = tuple[ColumnType, list[Any] | pa.Array]
TEXT, NUMBER, DATE = ColumnType("text"), ColumnType("number"), ColumnType("date")
GERMAN_DATE, GERMAN = ColumnType("date", date_format="%d.%m.%Y"), ColumnType("number", ",", ".")
STAMP = ColumnType("timestamp")


def _pairs(folder: Path, role: str, ours: Typed, theirs: Typed, **more: Any) -> list[tuple[int, int]]:
    """Return the pairs that a run finds by a column `x` in `role`; amounts are the same everywhere."""
    folder = Path(tempfile.mkdtemp(dir=folder))
    inputs, sides = [], []
    for name, (column_type, values) in (("ours", ours), ("theirs", theirs)):
        path = folder / f"{name}.parquet"
        table = pa.table({"x": values, "amount": pa.array([Decimal(5)] * len(values), pa.decimal128(18, 2))})
        pq.write_table(table, path)
        inputs.append(Input(path.name, name, 1, Direct("parquet", path, ("x", "amount"))))
        role_of = {role: ("x",), "amount": (SignedColumn("amount"),), **more}
        sides.append(SidePlan({"x": column_type, "amount": NUMBER}, **role_of))
    facts = folder / "facts"
    facts.mkdir()
    only_units = Rules(weights=Weights(0, 0, 1, 0), required_margin=0.1)
    plan = Plan(*sides, rules=only_units if role == "units" else Rules())
    execute(connection("spelling"), *inputs, plan, run_id=RUN_ID, fact_dir=facts)
    rows = pq.read_table(facts / "match.parquet").to_pylist()
    passes = {"key": "reference", "group": "group", "units": "scored"}
    return [(row["ours_row"], row["theirs_row"]) for row in rows if row["pass"] == passes[role]]


_DAYS = [date(2026, 1, 5), date(2026, 1, 6)]


def _instants(*texts: str) -> pa.Array:
    return pa.array(texts).cast(pa.timestamp("us"))


_PLACES = pa.decimal128(12, 2)


@pytest.mark.parametrize("role", ["key", "group"])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        pytest.param((DATE, ["2026-01-05", "2026-01-06"]), (GERMAN_DATE, ["06.01.2026", "05.01.2026"]), id="dates"),
        pytest.param((DATE, _DAYS), (GERMAN_DATE, ["06.01.2026", "05.01.2026"]), id="typed and text"),
        pytest.param((DATE, _DAYS), (TEXT, ["2026-01-06", "2026-01-05"]), id="date and its ISO text"),
        pytest.param(
            (DATE, _DAYS), (STAMP, _instants("2026-01-06T09:00:00", "2026-01-05T23:59:00")), id="days and instants"
        ),
        pytest.param(
            (STAMP, ["2026-01-05T09:30:00Z", "2026-01-05T10:30:00+00:00"]),
            (STAMP, _instants("2026-01-05T10:30:00", "2026-01-05T09:30:00")),
            id="instants",
        ),
        pytest.param(
            (STAMP, ["2026-01-05 00:00:00", "2026-01-06 00:00:00"]), (TEXT, ["2026-01-06", "2026-01-05"]), id="midnight"
        ),
        pytest.param(
            (ColumnType("date", date_format="%Y%m%d"), [20260105, 20260106]),
            (ColumnType("date", date_format="%d%m%Y"), [6012026, 5012026]),
            id="dates that were read as whole numbers",
        ),
        pytest.param((NUMBER, ["1000", "1001"]), (GERMAN, ["1.001,00", "1.000"]), id="numbers"),
        pytest.param((NUMBER, ["1000", "1001"]), (NUMBER, ["1001.0", "1000"]), id="numbers with a point"),
        pytest.param((NUMBER, ["100", "0.5"]), (TEXT, ["0.5", "100"]), id="no zeros of a whole number are lost"),
        pytest.param(
            (NUMBER, pa.array([Decimal("1.50"), Decimal(100)], _PLACES)), (NUMBER, ["100", "1.5"]), id="decimals"
        ),
        pytest.param(
            (NUMBER, pa.array([Decimal(100), Decimal(20)], pa.decimal128(9, 0))),
            (TEXT, ["20", "100"]),
            id="whole decimals",
        ),
        pytest.param((NUMBER, [100.0, 20.0]), (NUMBER, pa.array([20, 100])), id="floating point and integers"),
        pytest.param((NUMBER, ["9" * 40, "B"]), (TEXT, ["B", "9" * 40]), id="what is no number stays as it is"),
    ],
)
def test_the_same_value_meets_however_it_is_written(tmp_path: Path, role: str, ours: Typed, theirs: Typed) -> None:
    assert _pairs(tmp_path, role, ours, theirs) == [(1, 2), (2, 1)]


@pytest.mark.parametrize("kind", ["text", "number"])
def test_zeros_at_the_front_tell_references_apart(tmp_path: Path, kind: Kind) -> None:
    codes = (ColumnType(kind), ["007", "7", "0"])
    assert _pairs(tmp_path, "key", codes, (ColumnType(kind), ["7", "0", "007"])) == [(1, 3), (2, 1), (3, 2)]


@pytest.mark.parametrize("nothing", ["", "n/a", "-", None])
def test_a_reference_of_numbers_or_dates_that_says_nothing_is_none(tmp_path: Path, nothing: str | None) -> None:
    assert _pairs(tmp_path, "key", (NUMBER, [nothing, "5"]), (NUMBER, ["5", nothing])) == [(2, 1)]
    assert _pairs(tmp_path, "key", (DATE, [nothing, "2026-01-05"]), (DATE, ["2026-01-05", nothing])) == [(2, 1)]


def test_units_that_are_dates_meet(tmp_path: Path) -> None:
    theirs = (GERMAN_DATE, ["06.01.2026", "05.01.2026"])
    assert _pairs(tmp_path, "units", (DATE, ["2026-01-05", "2026-01-06"]), theirs) == [(1, 2), (2, 1)]


@pytest.mark.parametrize("role", ["key", "group"])
def test_a_column_that_is_the_date_of_the_row_can_also_tie_it(tmp_path: Path, role: str) -> None:
    theirs = (GERMAN_DATE, ["06.01.2026", "05.01.2026"])
    assert _pairs(tmp_path, role, (DATE, ["2026-01-05", "2026-01-06"]), theirs, date="x") == [(1, 2), (2, 1)]


@pytest.mark.parametrize("role", ["key", "group"])
def test_a_column_that_is_a_quantity_can_also_tie_the_row(tmp_path: Path, role: str) -> None:
    theirs = (GERMAN, ["1.001,00", "1.000,50"])
    assert _pairs(tmp_path, role, (NUMBER, ["1000.5", "1001"]), theirs, quantity="x") == [(1, 2), (2, 1)]
