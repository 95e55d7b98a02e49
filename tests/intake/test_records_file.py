import pyarrow.parquet as pq
import pytest

from tests.intake.tables import places_of, rejected_of, rows_of
from tieout.intake.records import REJECTED_SCHEMA, Rejected
from tieout.intake.records_file import MAX_COLUMNS, RecordsFile, TooManyColumns, TooManyRows


def test_rows_and_refused_rows_are_written_as_the_contract_says(tmp_path):
    with RecordsFile(tmp_path / "new" / "out", "a.csv", ["x", "y"]) as file:
        file.append([1, 3], [2, 4], [["a", ""], [None, "b"]])
        file.reject(Rejected(2, 3, None, "ragged_row", "why", "raw"))
        records = file.finish("csv", ["noted"])
    assert rows_of(records) == [("a", None), (None, "b")]
    assert places_of(records) == [(1, 2), (3, 4)]
    assert pq.read_schema(records.rejected).equals(REJECTED_SCHEMA)
    assert rejected_of(records)[0]["row_no"] == 2
    assert (records.format, records.notes) == ("csv", ("noted",))


def test_a_table_without_rows_has_its_columns(tmp_path):
    with RecordsFile(tmp_path, "a.csv", ["x"]) as file:
        records = file.finish("csv")
    assert (rows_of(records), records.rejected) == ([], None)
    assert pq.read_schema(records.rows).names == ["__row_no", "__line", "x"]


def test_columns_that_come_later_are_null_before(tmp_path):
    with RecordsFile(tmp_path, "a.json") as file:
        file.append([1], [1], [])
        file.add_columns(["x"])
        file.append([2], [2], [["a"]])
        file.append(range(3, 200_003), range(3, 200_003), [["b"] * 200_000])
        file.add_columns(["y"])
        file.append([200_003], [200_003], [["c"], ["d"]])
        records = file.finish("json")
    rows = rows_of(records)
    assert (rows[0], rows[1], rows[-1]) == ((None, None), ("a", None), ("c", "d"))
    assert places_of(records)[-1] == (200_003, 200_003)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]


def test_a_reader_that_fails_leaves_no_files(tmp_path):
    def fail():
        with RecordsFile(tmp_path, "a.csv", ["x"]) as file:
            file.append(range(1, 100_001), range(1, 100_001), [["a"] * 100_000])
            file.reject(Rejected(1, 1, None, "ragged_row", "why", "raw"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_limits_on_rows_count_refused_ones_and_limits_on_columns_hold(tmp_path):
    with RecordsFile(tmp_path, "a.csv", ["x"], max_rows=2) as file:
        file.append([1], [1], [["a"]])
        with pytest.raises(TooManyRows, match=r"a\.csv has more than 2 rows"):
            file.reject(Rejected(3, 3, None, "ragged_row", "why", "raw"))
        file.reject(Rejected(None, 4, None, "footer", "why", "raw"))
    with pytest.raises(TooManyColumns):
        RecordsFile(tmp_path, "a.csv", [str(i) for i in range(MAX_COLUMNS + 1)])
