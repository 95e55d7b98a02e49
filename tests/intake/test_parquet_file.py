from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.intake.tables import save
from tieout.intake.formats import FileIsDamaged, FileIsEncrypted, NoTableFound
from tieout.intake.parquet_file import open_parquet


def write(folder, table: pa.Table):
    path = folder / "file.parquet"
    pq.write_table(table, path)
    return path


def test_a_flat_file_is_left_as_it_is(tmp_path):
    path = write(tmp_path, pa.table({"id": [1, 2], "amount": [Decimal("0.10"), None]}))
    found = open_parquet(path, "upload.parquet", tmp_path / "copy.parquet")
    assert (found.path, found.columns, found.row_count, found.notes) == (path, ("id", "amount"), 2, ())
    assert not (tmp_path / "copy.parquet").exists()


def test_nested_values_become_json_text_in_a_copy(tmp_path):
    table = pa.table(
        {"id": [1, 2], "tags": [["a", "é"], None], "price": [{"value": Decimal("0.10"), "raw": b"\1"}, None]}
    )
    found = open_parquet(write(tmp_path, table), "upload.parquet", tmp_path / "copies" / "copy.parquet")
    assert found.notes == ("Nested values are read as JSON text: 'tags', 'price'.",)
    assert pq.read_table(found.path).to_pylist() == [
        {"id": 1, "tags": '["a", "é"]', "price": '{"value": "0.10", "raw": "01"}'},
        {"id": 2, "tags": None, "price": None},
    ]


def test_names_that_differ_in_case_only_are_told_apart(tmp_path):
    table = pa.table([[1], [2], [3]], names=["Amount", "amount", "__line"])
    found = open_parquet(write(tmp_path, table), "upload.parquet", tmp_path / "copy.parquet")
    assert found.columns == ("Amount", "amount_2", "__line_2")
    with duckdb.connect() as con:
        assert con.execute(f"select * from read_parquet('{found.path}')").fetchall() == [(1, 2, 3)]


def test_decimals_longer_than_duckdb_reads_exactly_become_text(tmp_path):
    exact = Decimal("1234567890123456789012345678901234567890.12")
    amounts = pa.array([exact, Decimal("-0.10"), None], pa.decimal256(50, 2))
    found = open_parquet(write(tmp_path, pa.table({"amount": amounts})), "upload.parquet", tmp_path / "copy.parquet")
    assert found.notes == ("Long decimals are read as text: 'amount'.",)
    assert pq.read_table(found.path).column("amount").to_pylist() == [str(exact), "-0.10", None]


@pytest.mark.parametrize("cut", [6, 200, -10])
def test_a_broken_file_is_said_to_be_broken(tmp_path, cut):
    content = write(tmp_path, pa.table({"id": list(range(1000))})).read_bytes()
    with pytest.raises(FileIsDamaged, match=r"upload\.parquet is a broken Parquet file"):
        open_parquet(save(tmp_path, content[:cut]), "upload.parquet", tmp_path / "copy.parquet")


def test_an_encrypted_file_is_said_to_be_encrypted(tmp_path):
    with pytest.raises(FileIsEncrypted, match=r"upload\.parquet is encrypted"):
        open_parquet(save(tmp_path, b"PARE" + b"\1" * 100 + b"PARE"), "upload.parquet", tmp_path / "copy.parquet")


def test_a_file_without_columns_is_refused(tmp_path):
    with pytest.raises(NoTableFound, match="no columns"):
        open_parquet(write(tmp_path, pa.table({})), "upload.parquet", tmp_path / "copy.parquet")
