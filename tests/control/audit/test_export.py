from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pyarrow.parquet as pq
import pytest

from tests.control.audit.trails import NOW, a_trail, note
from tieout.control.audit import export as exporting
from tieout.control.audit.export import COLUMNS, export
from tieout.control.audit.store import Filter
from tieout.core.actor import Actor

OF_A = Filter("a")


def whole(state, wanted=OF_A, file_format="ndjson", **options):
    return b"".join(export(state, wanted, file_format, **options))


def lines(state, wanted=OF_A, **options):
    return [json.loads(line) for line in whole(state, wanted, **options).splitlines()]


def rows_of_csv(state, wanted=OF_A):
    return list(csv.DictReader(io.StringIO(whole(state, wanted, "csv").decode(), newline="")))


def test_every_format_has_every_event_in_order_whatever_the_pages(state, monkeypatch):
    monkeypatch.setattr(exporting, "PAGE", 4)
    a_trail(state, 10)
    a_trail(state, 3, tenant="b")
    assert [line["seq"] for line in lines(state)] == list(range(1, 11))
    assert [row["seq"] for row in rows_of_csv(state)] == [str(seq) for seq in range(1, 11)]
    table = pq.read_table(io.BytesIO(whole(state, file_format="parquet")))
    assert table.column("seq").to_pylist() == list(range(1, 11))
    assert table.column_names == list(COLUMNS)
    assert table.column("created_at").to_pylist()[0] == NOW + timedelta(minutes=1)
    assert json.loads(table.column("delta").to_pylist()[2]) == {"number": 3}


def test_an_export_of_nothing_is_an_empty_file_of_its_format(state):
    assert lines(state) == []
    assert whole(state, file_format="csv").decode() == ",".join(COLUMNS) + "\r\n"
    assert pq.read_table(io.BytesIO(whole(state, file_format="parquet"))).num_rows == 0


def test_a_window_and_filters_choose_events(state):
    a_trail(state, 5)
    note(state, module="billing", action="billing.invoice.created", entity_id="9")
    window = Filter("a", since=NOW + timedelta(minutes=2), until=NOW + timedelta(minutes=4))
    assert [line["seq"] for line in lines(state, window)] == [2, 3]
    assert [line["seq"] for line in lines(state, Filter("a", module="billing"))] == [6]
    assert [line["seq"] for line in lines(state, Filter("a", action="m.done", entity_id="4"))] == [4]
    assert lines(state, Filter("a", actor="user:bob")) == []


def test_a_tenant_exports_its_own_and_the_operator_all(state):
    a_trail(state, 2)
    a_trail(state, 1, tenant="b")
    assert {line["tenant"] for line in lines(state)} == {"a"}
    assert [(line["tenant"], line["seq"]) for line in lines(state, Filter(None))] == [("a", 1), ("a", 2), ("b", 1)]


def test_a_spreadsheet_runs_nothing_of_it(state):
    note(state, entity_id='=HYPERLINK("http://x")', actor=Actor("user:ann", user_agent="@SUM(1)"))
    (row,) = rows_of_csv(state)
    assert row["entity_id"] == '\'=HYPERLINK("http://x")'
    assert row["user_agent"] == "'@SUM(1)"
    assert lines(state)[0]["entity_id"] == '=HYPERLINK("http://x")'


@pytest.mark.parametrize("file_format", ["csv", "ndjson"])
def test_addresses_and_card_numbers_are_taken_out_unless_asked_for(state, file_format):
    note(state, delta={"to": {"mail": "eve@example.com"}, "card": ["4111111111111111"]}, entity_id="eve@example.com")
    assert b"eve@example.com" not in whole(state, file_format=file_format)
    assert b"4111111111111111" not in whole(state, file_format=file_format)
    assert whole(state, file_format=file_format, is_redacted=False).count(b"eve@example.com") == 2


def test_what_is_exported_as_recorded_can_be_verified_elsewhere(state):
    a_trail(state, 3)
    first, second, third = lines(state, is_redacted=False)
    assert (second["prev_hash"], third["prev_hash"]) == (first["hash"], second["hash"])
