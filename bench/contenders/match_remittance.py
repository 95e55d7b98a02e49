"""Naive baseline of cash application: a line of the remittance advice names an invoice by its very number."""

import time

import duckdb

from bench.brief import answer_of, count_of, read_brief
from bench.measure import report


def main() -> None:
    brief, out = read_brief()
    started = time.perf_counter()
    with duckdb.connect() as connection:
        for name, path in (("invoice", brief.ours), ("payment", brief.theirs), ("line", brief.extra["remittance"])):
            connection.execute(f"create temp table {name} as from '{path}'")
        connection.execute(f"""
            copy (
                select distinct i.rowid + 1 as ours_row, p.rowid + 1 as theirs_row, 'auto' as outcome, 1.0 as score
                from line l join invoice i on i.invoice_id = l.invoice_ref join payment p using (payment_id)
            ) to '{answer_of(out)}'
        """)
        report(time.perf_counter() - started, pairs_found=count_of(connection, f"'{answer_of(out)}'"))


if __name__ == "__main__":
    main()
