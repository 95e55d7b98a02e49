"""What is told as a confidence, of what the evidence says taken as independent."""

from __future__ import annotations

import math

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.engine.macros import add_likeness_macros


@pytest.fixture(scope="module")
def engine() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    add_likeness_macros(con)
    return con


def kept(engine: duckdb.DuckDBPyConnection, *likely: float) -> list[float]:
    values = ", ".join(f"({chance!r}::double)" for chance in likely)
    return [row[0] for row in engine.execute(f"select kept_confidence(p) from (values {values}) v(p)").fetchall()]


def by_hand(likely: float) -> float:
    if likely <= 0.97:
        return likely
    start, odds = math.log(0.97 / 0.03), math.log(likely / max(1 - likely, 1e-9))
    return min(0.9995, 1 / (1 + math.exp(-(start + 0.3 * (odds - start)))))


@given(st.floats(0, 1))
@settings(max_examples=50)
def test_three_tenths_of_the_log_odds_beyond_a_bound_count(likely: float) -> None:
    con = duckdb.connect()
    add_likeness_macros(con)
    assert kept(con, likely)[0] == pytest.approx(by_hand(likely), abs=1e-8)


def test_what_is_likelier_stays_likelier(engine: duckdb.DuckDBPyConnection) -> None:
    rising = [0, 0.1, 0.5, 0.96, 0.97, 0.9700001, 0.98, 0.99, 0.999, 0.9999, 0.99999, 1]
    told = kept(engine, *rising)
    assert told == sorted(told)
    assert told[:5] == rising[:5]
    assert told[-1] == 0.9995
