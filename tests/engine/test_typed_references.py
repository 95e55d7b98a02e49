"""References of any type that a typed file has are joined, and each row that misses its partner is told."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.engine.builders import connection
from tieout.engine.loading import Input
from tieout.engine.plan import ColumnType, Plan, SidePlan, SignedColumn
from tieout.engine.run import execute
from tieout.intake.reading import Direct

TYPED: dict[str, tuple[pa.DataType, list[Any]]] = {
    "int64": (pa.int64(), [1, 2, 30, 400]),
    "int16": (pa.int16(), [1, 2, 30, 400]),
    "uint32": (pa.uint32(), [1, 2, 30, 400]),
    "decimal": (pa.decimal128(38, 0), [Decimal(number) for number in (1, 2, 30, 400)]),
    "float": (pa.float64(), [1.0, 2.0, 30.5, 400.0]),
    "date": (pa.date32(), [date(2026, 1, day) for day in (1, 2, 3, 4)]),
    "timestamp": (pa.timestamp("us", "UTC"), [datetime(2026, 1, day, 12, tzinfo=UTC) for day in (1, 2, 3, 4)]),
    "text": (pa.string(), ["A-1", "A-2", "B-30", "C-400"]),
    "dictionary": (pa.dictionary(pa.int32(), pa.string()), ["A-1", "A-2", "B-30", "C-400"]),
}


@pytest.mark.parametrize("ours", TYPED)
def test_rows_of_one_type_meet_and_the_others_are_told(ours: str, tmp_path: Path) -> None:
    kind, values = TYPED[ours]
    facts = _run(tmp_path, pa.array(values[:3], kind), pa.array(values[1:], kind))
    assert [(row["ours_row"], row["theirs_row"]) for row in facts["match"]] == [(2, 1), (3, 2)]
    assert [row["ours_row"] for row in facts["unmatched_ours"]] == [1]
    assert [row["theirs_row"] for row in facts["unmatched_theirs"]] == [3]


@pytest.mark.parametrize(("ours", "theirs"), [("int64", "decimal"), ("int64", "uint32"), ("text", "dictionary")])
def test_what_is_the_same_in_another_type_meets(ours: str, theirs: str, tmp_path: Path) -> None:
    (kind, values), (other, others) = TYPED[ours], TYPED[theirs]
    facts = _run(tmp_path, pa.array(values, kind), pa.array(others, other))
    assert [(row["ours_row"], row["theirs_row"]) for row in facts["match"]] == [(1, 1), (2, 2), (3, 3), (4, 4)]


def test_a_whole_number_meets_the_text_that_says_it(tmp_path: Path) -> None:
    facts = _run(tmp_path, pa.array([1, 2, 30], pa.int64()), pa.array(["30 ", "2", "7"]))
    assert [(row["ours_row"], row["theirs_row"]) for row in facts["match"]] == [(2, 2), (3, 1)]


def _run(folder: Path, ours: pa.Array, theirs: pa.Array) -> dict[str, list[dict[str, Any]]]:
    plan = SidePlan(
        columns={"id": ColumnType("text"), "amount": ColumnType("number")},
        key=("id",),
        amount=(SignedColumn("amount"),),
    )
    given = []
    for side, ids in (("ours", ours), ("theirs", theirs)):
        path = folder / f"{side}.parquet"
        pq.write_table(pa.table({"id": ids, "amount": [5] * len(ids)}), path)
        given.append(Input(path.name, side, 1, Direct("parquet", path, ("id", "amount"))))
    execute(connection(), *given, Plan(plan, plan), run_id="0" * 16, fact_dir=folder)
    return {
        name: pq.read_table(folder / f"{name}.parquet").to_pylist()
        for name in ("match", "unmatched_ours", "unmatched_theirs")
    }
