from __future__ import annotations

import hashlib
import json
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.books.ads.builders import connection
from tieout.engine.steps import Runner, StepContractBroken
from tieout.proofs.leaves import DayOf, make_leaf, make_leaves, salt_of, sum_trees, write_leaves

CON = connection()
OF = DayOf("acme", "ads", date(2025, 11, 1), b"secret of the log, 32 bytes long"[:32])
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
SCHEMA = pa.schema([("key", pa.string()), ("said", pa.string()), ("amount_micros", pa.int64())])


def leaves_of(rows, folder, of=OF):
    """Leaves of rows (key, text, amount), and the relation `leaf` as rows."""
    given_rows = pa.table([list(column) for column in zip(*rows, strict=True)] or [[], [], []], schema=SCHEMA)
    CON.register("given_rows", given_rows)
    CON.execute(
        "create or replace table record as select 'row' as kind, key, json_object('amount', amount_micros::varchar,"
        " 'none', null::varchar, 'said', said, 'true', true) as content, 'ours' as sum_side, 'p' as sum_party,"
        " 'USD' as currency, amount_micros from given_rows"
    )
    CON.unregister("given_rows")
    made = make_leaves(Runner(CON, folder), of)
    return made, CON.sql("select key, record from leaf order by position").fetchall()


def hash_of(record):
    return hashlib.sha256(b"\0" + record.encode()).digest()


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=8))
def test_the_engine_writes_the_canonical_json_of_the_rfc_whatever_a_row_says(tmp_path_factory, said):
    folder = tmp_path_factory.getbasetemp()
    made, rows = leaves_of([(key, text, 1) for key, text in said.items()], folder)
    for key, record in rows:
        content = {"amount": "1", "none": None, "said": said[key], "true": True}
        assert record == make_leaf(OF, "row", key, content).text
    assert made.row_hashes == b"".join(hash_of(record) for _, record in rows)


@pytest.mark.parametrize(
    "text", [*map(chr, range(33)), "\\u000B", "\\\\u001F\x1f\\", '"\x0b\\', "\x7f\u2028\U0001f600"]
)
def test_each_control_character_and_what_only_looks_like_an_escape(tmp_path, text):
    [(_, record)] = leaves_of([("k", text, 1)], tmp_path)[1]
    assert record.encode() == rfc8785.dumps(json.loads(record))
    assert json.loads(record)["content"]["said"] == text


def test_the_order_of_rows_changes_nothing(tmp_path):
    rows = [(str(number), "x", number) for number in range(200)]
    assert leaves_of(rows, tmp_path)[0] == leaves_of(rows[::-1], tmp_path)[0]


def test_equal_rows_of_two_logs_or_days_have_other_hashes_and_salts(tmp_path):
    first, [(_, record)] = leaves_of([("k", "x", 1)], tmp_path)
    other, _ = leaves_of([("k", "x", 1)], tmp_path, DayOf("acme", "ads", OF.day, b"\0" * 32))
    assert first.row_hashes != other.row_hashes
    assert salt_of(OF.blinding, "row", "k") in record
    assert salt_of(OF.blinding, "ro", "wk") != salt_of(OF.blinding, "row", "k")


def test_two_rows_of_one_key_are_a_fault_that_is_named(tmp_path):
    with pytest.raises(StepContractBroken, match="one row per"):
        leaves_of([("k", "x", 1), ("k", "y", 2)], tmp_path)


def test_each_party_has_a_total_that_its_leaf_states(tmp_path):
    made, rows = leaves_of([("a", "x", 5), ("b", "y", -2)], tmp_path)
    [total] = made.sums
    told = json.loads(total.text)["content"]
    assert (told["credit_micros"], told["debit_micros"], told["rows"]) == ("5", "2", "2")
    [(name, tree)] = sum_trees(CON, made.row_hashes).items()
    assert (name.side, name.party, name.currency) == ("ours", "p", "USD")
    assert told["root"] == tree.root.hash.hex()
    assert tree.records == b"".join(sorted(hash_of(record) for _, record in rows))
    assert made.hashes == made.row_hashes + total.hash


def test_a_day_without_rows_has_no_leaves(tmp_path):
    made, rows = leaves_of([], tmp_path)
    assert (made.count, made.hashes, rows) == (0, b"", [])


def test_the_file_of_a_day_holds_every_record_in_the_order_of_the_log(tmp_path):
    made, rows = leaves_of([("a", "x", 5), ("b", "y", -2)], tmp_path)
    last = make_leaf(OF, "day", "2025-11-01", {})
    write_leaves(CON, made, last, tmp_path / "leaves.parquet")
    kept = pq.read_table(tmp_path / "leaves.parquet").column("record").to_pylist()
    assert kept == [record for _, record in rows] + [made.sums[0].text, last.text]
