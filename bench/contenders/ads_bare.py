"""The yardstick of the ads book: DuckDB written by hand for these very files, with the same sums as answer.

Receipts are joined with the first paid event of their request and summed by day, network, app, unit, country and
format; statements are read with their columns told, converted at the median rate of the day, and held against that.
Of the first paid event two forms were tried: `arg_min` of a struct is the shorter one, the first instant joined back
takes half the time (and would count two events of one instant twice). With `--rows` the row of each request is written
first, as the book keeps it.
"""

import argparse
import json
import time
from pathlib import Path

import duckdb

from bench.measure import report

COLUMNS = {
    "event_date": "DATE",
    "app_id": "VARCHAR",
    "ad_unit_id": "VARCHAR",
    "country": "VARCHAR",
    "format": "VARCHAR",
    "currency": "VARCHAR",
    "impressions": "BIGINT",
    "clicks": "BIGINT",
    "paid": "DECIMAL(18,6)",
    "ivt": "DECIMAL(18,6)",
    "viewable": "DECIMAL(9,6)",
}
SHORT = """
select
  request_id,
  unnest(arg_min({'network': network, 'app_id': app_id, 'ad_unit_id': ad_unit_id, 'format': format, 'country': country,
    'micros': revenue_usd_micros, 'ppm': viewable_ppm}, event_us))
from event
where revenue_usd_micros > 0
group by request_id
"""
QUICK = """
select request_id, network, app_id, ad_unit_id, format, country, revenue_usd_micros as micros, viewable_ppm as ppm
from event
join (select request_id, min(event_us) as event_us from event where revenue_usd_micros > 0 group by request_id)
using (request_id, event_us)
"""
ROWS = """
select
  make_timestamp(ts_us)::date as event_date, request_id, placement_id, network, app_id, ad_unit_id, format, country,
  micros as expected_usd_micros, 'USD' as currency, true as is_paid, floor_cpm_micros, currency as floor_currency,
  receipt_hash, ppm as om_viewable_ppm, ts_us
from receipt
join first using (request_id)
"""
KEYS = "event_date, network, app_id, ad_unit_id, country, format"


def view_files(con, world: Path) -> None:
    """Make the views `event`, `receipt` and `statement`."""
    con.execute(f"create view event as from read_parquet('{world}/own/events/*.parquet')")
    con.execute(f"create view receipt as from read_parquet('{world}/own/receipts/*.parquet')")
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMNS.items())
    parts = []
    for load in json.loads((world / "loads.json").read_text())["loads"]:
        path = world / load["file"]
        with path.open() as file:
            mark = ";" if ";" in file.readline() else ","
        parts.append(
            f"select '{load['network']}' as network, * from read_csv('{path}', header = true, auto_detect = false,"
            f" delim = '{mark}', columns = {{{columns}}})"
        )
    con.execute(f"create view statement as {' union all '.join(parts)}")


def compare(con, out: Path, first: str, *, has_rows: bool) -> None:
    """Write the comparison of both sides by their sums."""
    con.execute(f"create view first as {first}")
    con.execute(f"create view row as {ROWS}")
    if has_rows:
        con.execute(f"copy (from row) to '{out / 'expected.parquet'}' (format parquet, compression snappy)")
        con.execute(f"create or replace view row as from read_parquet('{out / 'expected.parquet'}')")
    con.execute(
        f"create table cell as select {KEYS}, count(*) as requests, sum(expected_usd_micros)::bigint as micros"
        " from row group by all"
    )
    con.execute(
        "create table rate as select make_timestamp(event_us)::date as event_date, currency,"
        " quantile_disc(fx_rate_nanos, 0.5) as nanos from event where currency <> 'USD' group by all"
    )
    con.execute(f"""
        copy (
            with line as (
                select {KEYS}, sum(impressions)::bigint as impressions,
                    sum(if(currency = 'USD', (paid * 1000000)::bigint,
                        ((paid * 1000000)::hugeint * nanos + 500000000) // 1000000000))::bigint as reported_micros
                from statement left join rate using (event_date, currency)
                group by all
            )
            select *, coalesce(micros, 0) - coalesce(reported_micros, 0) as gap_micros
            from cell full join line using ({KEYS})
        ) to '{out / "gap.parquet"}'
    """)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("world", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--first", choices=("short", "quick"), default="quick")
    parser.add_argument("--rows", action="store_true")
    parser.add_argument("--memory", default="6GB")
    chosen = parser.parse_args()
    started, used = time.perf_counter(), time.process_time()
    config = {"memory_limit": chosen.memory, "temp_directory": str(chosen.out / "spill")}
    with duckdb.connect(config=config) as con:
        con.execute("set preserve_insertion_order = false")
        view_files(con, chosen.world)
        compare(con, chosen.out, SHORT if chosen.first == "short" else QUICK, has_rows=chosen.rows)
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - used
        found = con.sql(
            "select sum(requests)::bigint, sum(micros)::bigint, sum(reported_micros)::bigint"
            f" from '{chosen.out / 'gap.parquet'}'"
        ).fetchall()[0]
    names = ("expected_rows", "expected_micros", "reported_micros")
    report(seconds, cpu_ms=round(cpu_s * 1000), **dict(zip(names, found, strict=True)))


if __name__ == "__main__":
    main()
