"""Cells read by the short way, which nearly all of them take, are what the long way makes of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from decimal import MAX_EMAX, ROUND_HALF_UP, Context, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.store.builders import NOW, a_file, a_store, settings_for
from tieout.books.ads import ingest as ingesting
from tieout.books.ads.ingest import IngestRequest, ingest
from tieout.books.ads.layout import CELLS
from tieout.books.ads.steps import ads_step, sql_text
from tieout.books.workspace import Workspace
from tieout.engine.macros import add_macros

WIDE = Context(prec=60, Emax=MAX_EMAX)


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    con = duckdb.connect(config={"threads": 1})
    add_macros(con, "plain_number", "to_micros")
    con.execute(sql_text("statements", "macros"))
    ingesting._make_words(con, IngestRequest("acme", "load", "daily", ()))
    yield con
    con.close()


def read(con: duckdb.DuckDBPyConnection, expression: str, said: Sequence[str]) -> list[Any]:
    rows = con.execute(f"select {expression} from (select unnest($1::varchar[]) as said)", [list(said)]).fetchall()
    return [value for (value,) in rows]


# Refusals

FINE = {
    "event_date": "2026-01-31",
    "app_id": "app",
    "ad_unit_id": "unit",
    "country": "US",
    "format": "banner",
    "currency": "USD",
    "impressions": "1000",
    "clicks": "3",
    "paid": "12",
    "ivt_adjustments": "0.01",
    "viewable_pct": "70.5",
    "request_id": "r",
}
OTHERWISE: dict[str, tuple[str | None, ...]] = {
    "event_date": (None, "1999-12-31", "2100-01-01", "2026-02-30", "03/04/2026", "20260131"),
    "app_id": (None,),
    "ad_unit_id": (None,),
    "country": (None, "ZZ"),
    "format": (None, "poster"),
    "currency": (None, "USX"),
    "impressions": (None, "-1", "x", "1,234", "0"),
    "clicks": (None, "-1", "x", "1,5"),
    "paid": (None, "x", "1,234", "9e99", "99999999999999", "-1.5", "0.0000004"),
    "ivt_adjustments": (None, "x", "99999999999999", "-0.5"),
    "viewable_pct": (None, "x", "-0.1", "100", "100.000001", "70 %"),
    "request_id": (None,),
}
TOLD = st.lists(
    st.tuples(
        st.booleans(),
        st.dictionaries(st.sampled_from(CELLS), st.integers(0, 9), max_size=3).map(
            lambda chosen: {cell: OTHERWISE[cell][at % len(OTHERWISE[cell])] for cell, at in chosen.items()}
        ),
    ),
    min_size=1,
    max_size=40,
)
EACH = [(is_micros, {cell: said}) for cell in CELLS for said in OTHERWISE[cell] for is_micros in (False, True)]


def refusals_of(con: duckdb.DuckDBPyConnection, rows: Sequence[tuple[bool, dict[str, str | None]]], sql: str) -> Any:
    columns = ", ".join(f"{cell} varchar" for cell in CELLS)
    con.execute(
        "create or replace table received_row (file_no integer, row_no bigint, line bigint, layout varchar,"
        f" is_paid_micros boolean, {columns})"
    )
    con.executemany(
        f"insert into received_row values (1, ?, null, 'admob', ?{', ?' * len(CELLS)})",
        [
            [number, is_micros, *(told.get(cell, FINE[cell]) for cell in CELLS)]
            for number, (is_micros, told) in enumerate(rows)
        ],
    )
    return con.sql(f"select * from ({sql}) order by row_no").fetchall()


def listed_throughout(sql: str) -> str:
    """Return the step without its test for rows that are plainly fine."""
    changed, count = re.subn(r"if\(\s*day between.*?,\s*\[\],", "if(false, [],", sql, flags=re.DOTALL)
    assert count == 1
    return changed


@settings(max_examples=15, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(rows=TOLD)
def test_a_row_taken_for_fine_has_nothing_to_be_refused_for(engine, rows):
    sql = ads_step("statements", "read_cell").sql
    assert refusals_of(engine, rows, sql) == refusals_of(engine, rows, listed_throughout(sql))


def test_a_row_is_fine_or_refused_by_each_cell_alone(engine):
    sql = ads_step("statements", "read_cell").sql
    found = refusals_of(engine, EACH, sql)
    assert found == refusals_of(engine, EACH, listed_throughout(sql))
    refused = {next(iter(told.values())) for (_, told), row in zip(EACH, found, strict=True) if row[-1]}
    assert {"1999-12-31", "ZZ", "poster", "USX", "-1", "99999999999999", "100.000001", None} <= refused
    assert {"100", "70 %", "0", "20260131", "-0.5"}.isdisjoint(refused)


# Numbers and days


def _micros(said: str) -> int | None:
    """Return the micros that an amount in digits says, rounded at its twelfth decimal and then at its sixth."""
    number = Decimal(said).quantize(Decimal("1e-12"), ROUND_HALF_UP, WIDE)
    if abs(number) >= 10**26:
        return None
    micros = int(number.quantize(Decimal("1e-6"), ROUND_HALF_UP, WIDE).scaleb(6, WIDE))
    return micros if abs(micros) < 2**63 else None


EDGES = [
    "0.0000005",
    "-0.0000005",
    "0.00000049999999999995",
    "999999999.999999",
    "1000000000.0000005",
    "999999999999.9999995",
    "9223372036854.775807",
    "9223372036854.7758075",
    "-9223372036854.775807",
    "99999999999999999999999999",
    "1e-3",
    "12e10",
    "1.",
    "+.5",
    "007",
]
DIGITS = st.from_regex(r"[-+]?[0-9]{1,15}(\.[0-9]{0,14})?", fullmatch=True, alphabet="0123456789.+-")


@settings(max_examples=20, deadline=None, derandomize=True, phases=[Phase.generate])
@given(numbers=st.lists(DIGITS, min_size=20, max_size=60))
def test_micros_are_those_of_the_exact_number(engine, numbers):
    said = [*EDGES, *numbers]
    found = read(engine, "micros_of(exact_number(said), narrow_number(said))", said)
    assert found == [_micros(number) for number in said]


def test_an_amount_that_only_the_narrow_reading_takes_for_a_number_is_none(engine):
    said = [" 5", "5 ", "1_000", "inf", "0x10", ""]
    assert read(engine, "micros_of(exact_number(said), narrow_number(said))", said) == [None] * len(said)


@settings(max_examples=10, deadline=None, derandomize=True, phases=[Phase.generate])
@given(numbers=st.lists(st.decimals(0, 120, places=9).map("{:f}".format), min_size=20, max_size=60))
def test_a_percentage_is_rounded_to_millionths_once(engine, numbers):
    said = ["0", "100", "99.99995", "0.00005", "0.00004999", "33.33335", *numbers]
    found = read(engine, "ppm_of(exact_number(said), narrow_number(said))", said)
    assert found == [int(Decimal(number).scaleb(4).quantize(Decimal(1), ROUND_HALF_UP)) for number in said]


def test_a_percentage_is_read_with_its_sign_and_without(engine):
    said = ["70", "70%", "70 %", "70 ", "70% %", "%", "7%0"]
    assert read(engine, "bare_percent(said)", said) == ["70", "70", "70", "70", "70", "", "7%0"]


def test_a_count_is_digits_whatever_their_number(engine):
    said = ["0", "007", "999999999999999999", "1000000000000000000", "5.0", "-5", "1,234", "5.5", " 5", "", "٣", "1_0"]
    counts = [0, 7, 10**18 - 1, None, 5, -5, 1234, None, None, None, None, None]
    assert read(engine, "whole_number(said)", said) == counts


@settings(max_examples=10, deadline=None, derandomize=True, phases=[Phase.generate])
@given(
    parts=st.lists(st.tuples(st.integers(1, 9999), st.integers(0, 13), st.integers(0, 32)), min_size=20, max_size=60)
)
def test_a_day_is_read_alike_with_and_without_a_time(engine, parts):
    said = [f"{year:04}-{month:02}-{day:02}" for year, month, day in parts]
    days = [_day(text) for text in said]
    assert read(engine, "said_day(said)", said) == days
    assert read(engine, "said_day(said || 'T23:59:59Z')", said) == days


def _day(said: str) -> date | None:
    try:
        return date.fromisoformat(said)
    except ValueError:
        return None


# Blanks

BLANKS = (" ", "\t", "\r\n", "\n", "\u00a0", "\u2009", "\u202f", "\u3000", " \t\u00a0 ")
HEADER = "event_date,app_id,ad_unit_id,country,format,currency,impressions,clicks,paid\n"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    data_dir = tmp_path_factory.mktemp("cells") / "data"
    opened = Workspace(replace(settings_for(data_dir), threads=1), a_store(data_dir), lambda: NOW)
    yield opened
    opened.close()


def apps_of(workspace: Workspace, tmp_path: Path, text: str, load_id: str, **told: Any) -> list[str]:
    done = ingest(workspace, IngestRequest("acme", load_id, "daily", (a_file(tmp_path, text, "s.csv"),), **told))
    run = workspace.store.runs.get_run(done.run_id)
    return pq.read_table(workspace.store.runs.file_path(run, "statement_line")).column("app_id").to_pylist()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_blanks_around_a_cell_are_dropped_whatever_they_are(workspace, tmp_path, delimiter):
    """Each kind before, behind and around, in a file of its own, so that nothing else in it makes it be looked for."""
    for blank in BLANKS:
        cores = ("app", "~", "a%") if blank.isascii() else ("app", "~", "a%", "é")
        cells = [cell for core in cores for cell in (blank + core, core + blank, blank + core + blank)]
        quote = '"' if "\n" in blank or delimiter in blank else ""
        rows = "".join(f"2026-01-31,{quote}{cell}{quote},unit,US,banner,USD,1000,3,1.25\n" for cell in cells)
        text = (HEADER + rows).replace(",", delimiter)
        expected = [core for core in cores for _ in range(3)]
        assert apps_of(workspace, tmp_path, text, f"{delimiter!r} {blank!r}") == expected


def test_one_blank_in_a_large_file_is_found(workspace, tmp_path):
    row = "2026-01-31,app{},unit,US,banner,USD,1000,3,1.25\n"
    rows = [row.format(number) for number in range(25_000)]
    rows[-1] = rows[-1].replace(",unit", " ,unit")
    text = HEADER + "".join(rows)
    assert len(text) > 1 << 20
    assert apps_of(workspace, tmp_path, text, "large") == [f"app{number}" for number in range(25_000)]
