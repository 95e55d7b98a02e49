"""Our own side: registered by name, read in place from each kind of file, and refused when it is no longer the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from tests.store.builders import NOW, a_file, a_store, settings_for
from tieout.books.ads.ingest import IngestRequest, ingest
from tieout.books.ads.own import (
    OwnFileChanged,
    OwnRecordsBad,
    OwnRequest,
    OwnSourceBad,
    OwnSourceUnknown,
    define_macros,
    list_own,
    register_own,
    view_own,
)
from tieout.books.ads.own_relation import OwnColumnsMissing
from tieout.books.ads.pieces import STATEMENT_LINE
from tieout.books.ads.statements import view_statements
from tieout.books.workspace import Workspace

EVENT = (
    "('r1', 1767225600000000::bigint, 'admob', 'app', 'unit', 'banner', 'US', 'impression', 1500::bigint, 'EUR',"
    " 1400::bigint, 1071428571::bigint, 700000::bigint)"
)
EVENT_COLUMNS = (
    "request_id, event_us, network, app_id, ad_unit_id, format, country, revenue_type, revenue_usd_micros, currency,"
    " original_micros, fx_rate_nanos, viewable_ppm"
)
CSV = """request_id,timestamp,adapter_name,ad_format,country_code,revenue_type,revenue_usd,revenue_currency,\
revenue_original,exchange_rate,app_id,ad_unit_id,om_viewable_pct
r1,2026-01-01T00:00:00Z,admob,banner,US,impression,0.0015,EUR,0.0014,1.071428571,app,unit,0.7
"""
NDJSON = """{"request_id": "r1", "timestamp": "2026-01-01T01:00:00+01:00", "adapter_name": "admob",\
 "ad_format": "banner", "country_code": "US", "revenue_type": "impression", "revenue_usd": 0.0015,\
 "revenue_currency": "EUR", "revenue_original": 0.0014, "exchange_rate": 1.071428571, "app_id": "app",\
 "ad_unit_id": "unit", "om_viewable_pct": 0.7}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    data_dir = tmp_path / "data"
    opened = Workspace(replace(settings_for(data_dir), threads=1), a_store(data_dir), lambda: NOW)
    yield opened
    assert list(opened.store.folders.incoming.iterdir()) == []
    opened.close()


def a_parquet(path: Path, row: str = EVENT, columns: str = EVENT_COLUMNS) -> Path:
    duckdb.sql(f"select * from (values {row}) t({columns})").write_parquet(str(path))
    return path


def a_sqlite(path: Path) -> str:
    con = sqlite3.connect(path)
    con.execute("create table e (request_id, ts, net, fmt, country, kind, usd, cur, orig, rate, app, unit, seen)")
    con.execute(
        "insert into e values ('r1', '2026-01-01 00:00:00', 'admob', 'banner', 'US', 'impression', 0.0015, 'EUR',"
        " '0.0014', 1.071428571, 'app', 'unit', 0.7)"
    )
    con.commit()
    con.close()
    return f"sqlite:///{path}"


QUERY = (
    "select request_id, ts as timestamp, net as network, fmt as format, country, kind as revenue_type,"
    " usd as revenue_usd, cur as currency, orig as revenue_original, rate as exchange_rate, app as app_id,"
    " unit as ad_unit_id, seen as om_viewable_pct from e"
)


def _requests(tmp_path: Path) -> dict[str, OwnRequest]:
    return {
        "parquet": OwnRequest("events", "ours", (a_parquet(tmp_path / "e.parquet"),)),
        "csv": OwnRequest("events", "ours", (a_file(tmp_path, CSV, "e.csv"),)),
        "ndjson": OwnRequest("events", "ours", (a_file(tmp_path, NDJSON, "e.ndjson"),)),
        "sqlite": OwnRequest("events", "ours", sql=QUERY, database=a_sqlite(tmp_path / "own.db")),
    }


def rows_of(workspace: Workspace, kind="events", names=None) -> list[tuple]:
    con = duckdb.connect()
    define_macros(con)
    view_own(workspace, con, kind, names)
    return con.sql(f"from {'revenue_event' if kind == 'events' else 'receipt'}").fetchall()


@pytest.mark.parametrize("form", ["parquet", "csv", "ndjson", "sqlite"])
def test_events_are_the_same_from_each_kind_of_source(workspace, tmp_path, form):
    request = _requests(tmp_path)[form]
    done = register_own(workspace, request)
    assert (done.outcome, done.source.records, done.source.first_us) == ("registered", 1, 1767225600000000)
    assert rows_of(workspace) == duckdb.sql(f"select * from (values {EVENT})").fetchall()
    assert register_own(workspace, request).outcome == "already_registered"


def test_files_stay_where_they_lie_and_are_held_by_their_digest(workspace, tmp_path):
    path = a_parquet(tmp_path / "e.parquet")
    register_own(workspace, OwnRequest("events", "ours", (path,)))
    assert list(workspace.store.folders.artifacts.iterdir()) == []
    content = path.read_bytes()
    path.write_bytes(content[:-5] + b"x" + content[-4:])
    with pytest.raises(OwnFileChanged):
        rows_of(workspace)
    path.unlink()
    with pytest.raises(OwnFileChanged, match="gone"):
        rows_of(workspace)
    path.write_bytes(content)
    assert len(rows_of(workspace)) == 1


def test_receipts_tell_their_winner_from_columns_or_from_json(workspace, tmp_path):
    text = (
        "id,req_id,timestamp,placement_id,floor_cpm,currency,winner,hash\n"
        'a,r1,2026-01-01 00:00:01.5,p,0.5,USD,"{""network"": ""admob"", ""cpm"": 1.25}",ab\n'
        "b,r2,2026-01-01 00:00:02,p,0.5,USD,,cd\n"
    )
    register_own(workspace, OwnRequest("receipts", "auctions", (a_file(tmp_path, text, "r.csv"),)))
    assert rows_of(workspace, "receipts") == [
        ("a", "r1", 1767225601500000, "p", 500_000, "USD", 1_250_000, "admob", "ab"),
        ("b", "r2", 1767225602000000, "p", 500_000, "USD", None, None, "cd"),
    ]
    assert rows_of(workspace, "events") == []


def test_a_record_that_is_none_is_named_and_nothing_is_registered(workspace, tmp_path):
    bad = CSV + CSV.splitlines()[1].replace("0.0015", "n/a") + "\n"
    with pytest.raises(OwnRecordsBad, match=r"revenue_usd_micros in 1.*record 2, says 'n/a'"):
        register_own(workspace, OwnRequest("events", "ours", (a_file(tmp_path, bad, "e.csv"),)))
    assert list_own(workspace, "events") == ()


def test_what_cannot_be_a_source_is_said(workspace, tmp_path):
    text = CSV.replace("adapter_name", "adapter")
    with pytest.raises(OwnColumnsMissing, match=r"network \(network, adapter_name\)"):
        register_own(workspace, OwnRequest("events", "ours", (a_file(tmp_path, text, "e.csv"),)))
    with pytest.raises(OwnSourceBad, match="files, or a query"):
        register_own(workspace, OwnRequest("events", "ours"))
    with pytest.raises(OwnSourceBad, match="no address"):
        register_own(workspace, OwnRequest("events", "ours", sql="select 1", database="nowhere"))
    database = a_sqlite(tmp_path / "own.db")
    with pytest.raises(OwnSourceBad, match="failed"):
        register_own(workspace, OwnRequest("events", "ours", sql="select nothing from e", database=database))
    with pytest.raises(OwnSourceUnknown):
        rows_of(workspace, names=["nobody"])


def test_a_password_is_not_kept(workspace, postgres_events):
    request = OwnRequest("events", "ours", sql="select * from e", database=postgres_events)
    done = register_own(workspace, request)
    assert rows_of(workspace) == duckdb.sql(f"select * from (values {EVENT})").fetchall()
    config = workspace.store.runs.get_run(done.source.run_id).config
    assert "secret" not in config


@pytest.fixture
def postgres_events(postgres) -> Iterator[str]:
    import psycopg

    url = postgres.new_database()
    values = EVENT.replace("1767225600000000::bigint", "timestamptz '2026-01-01 00:00:00Z'")
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as con:
        columns = EVENT_COLUMNS.replace("event_us", "timestamp")
        con.execute(f"create table e as select * from (values {values}) t({columns})")
    yield url
    postgres.drop_database(url)


def test_several_sources_are_one_relation(workspace, tmp_path):
    register_own(workspace, OwnRequest("events", "a", (a_parquet(tmp_path / "e.parquet"),)))
    register_own(workspace, OwnRequest("events", "b", (a_file(tmp_path, CSV.replace("r1", "r2"), "e.csv"),)))
    assert sorted(row[0] for row in rows_of(workspace)) == ["r1", "r2"]
    assert [row[0] for row in rows_of(workspace, names=["b"])] == ["r2"]


def test_statements_of_all_current_loads_are_one_relation(workspace, tmp_path):
    con = duckdb.connect()
    assert view_statements(workspace, con) == ()
    assert con.sql("from statement_line").columns == list(STATEMENT_LINE)
    text = "event_date,app_id,ad_unit_id,country,format,currency,impressions,paid\n2026-01-31,a,u,US,banner,USD,1,{}\n"
    for network, paid in (("admob", 1), ("Unity", 2), ("admob", 3)):
        path = a_file(tmp_path / f"{network}{paid}", text.format(paid), "s.csv")
        ingest(workspace, IngestRequest(network, "l", "r", (path,), restates=True))
    assert len(view_statements(workspace, con)) == 2
    found = con.sql("from statement_line")
    assert (found.columns, [str(kind) for kind in found.types]) == (
        list(STATEMENT_LINE),
        [kind.upper() for kind in STATEMENT_LINE.values()],
    )
    assert con.sql("select paid_micros from statement_line order by all").fetchall() == [(2_000_000,), (3_000_000,)]
    view_statements(workspace, con, ["unity"])
    assert con.sql("select network from statement_line").fetchall() == [("Unity",)]
