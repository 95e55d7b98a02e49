"""A world of ads: the same bytes for the same seed, clean where nothing was planted, and off by what was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from tests.books.ads.worlds import made, taken_in
from tieout.books.ads.generate import FAULTS, BadWorld, WorldRequest, parse_faults, plant
from tieout.books.ads.own import define_macros, view_own
from tieout.books.ads.statements import view_statements
from tieout.books.workspace import Workspace


def _digest(folder: Path) -> dict[str, str]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[tuple[Workspace, Path, dict]]:
    """A world with every fault, taken in."""
    tmp_path = tmp_path_factory.mktemp("world")
    world = made(tmp_path, days=6, events_per_day=1200, seed=5)
    opened = taken_in(tmp_path, world)
    yield opened, world.out, json.loads((world.out / "truth.json").read_text())
    opened.close()


def _sums(world) -> dict[tuple[str, str], dict[str, int]]:
    """Both sides by network and day, in the currency of the network."""
    opened, _, _ = world
    con = duckdb.connect()
    define_macros(con)
    view_own(opened, con, "events")
    view_statements(opened, con)
    rows = con.sql(
        """
        with own as (
          select network, (epoch_ms(event_us // 1000))::date as day, sum(original_micros)::bigint as own,
            count(*) as events
          from revenue_event group by all
        ), said as (
          select network, event_date as day, sum(paid_micros)::bigint as said, sum(ivt_micros)::bigint as ivt,
            sum(impressions)::bigint as impressions
          from statement_line group by all
        )
        select network, day::varchar, coalesce(own, 0), coalesce(said, 0), coalesce(events, 0), coalesce(impressions, 0)
        from own full join said using (network, day)
        """
    ).fetchall()
    return {
        (network, day): {"own": own, "said": said, "events": events, "impressions": impressions}
        for network, day, own, said, events, impressions in rows
    }


def test_the_sides_differ_by_the_planted_amounts_and_by_nothing_else(world):
    """The oracle: add every planted fault back by hand, and both sides agree to the micro on each network and day."""
    expected = {key: row["said"] - row["own"] for key, row in _sums(world).items()}
    signs = {"underpay": -1, "missing": -1, "missing_day": -1, "overpay": 1, "duplicate": 1, "unexpected": 1}
    for one in world[2]["faults"]:
        key, amount = (one["network"], one["window_from"]), one["amount_micros"]
        assert amount > 0 or one["fault"] in {"fx", "viewability"}, one
        if key[0] == "*":
            assert one["fault"] == "viewability"
            continue
        expected[key] -= signs.get(one["fault"], 0) * amount
        if one["fault"] == "timezone":
            day_before = str(duckdb.sql(f"select date '{one['window_from']}' - 1").fetchall()[0][0])[:10]
            expected[key] += amount
            expected[one["network"], day_before] -= amount
    assert {key: gap for key, gap in expected.items() if gap} == {}


def test_late_events_are_missing_on_their_day_and_come_later(world):
    opened, _, truth = world
    [late] = [one for one in truth["faults"] if one["fault"] == "late"]
    con = duckdb.connect()
    define_macros(con)
    view_own(opened, con, "events")
    view_own(opened, con, "receipts")
    [(count, amount, least)] = con.execute(
        """select count(*), sum(original_micros)::bigint, min(event_us - ts_us) from receipt join revenue_event
        using (request_id) where (epoch_ms(ts_us // 1000))::date <> (epoch_ms(event_us // 1000))::date"""
    ).fetchall()
    assert (count, amount) == (late["impressions"], late["amount_micros"])
    assert least > late["lag_days"] * 86_400_000_000
    assert con.sql("select count(*) from receipt anti join revenue_event using (request_id)").fetchall() == [(0,)]


def test_a_wrong_rate_is_told_in_dollars(world):
    opened, _, truth = world
    [fx] = [one for one in truth["faults"] if one["fault"] == "fx"]
    con = duckdb.connect()
    define_macros(con)
    view_own(opened, con, "events")
    rows = con.execute(
        "select (epoch_ms(event_us // 1000))::date::varchar, median(fx_rate_nanos) from revenue_event"
        " where network = ? group by all order by all",
        [fx["network"]],
    ).fetchall()
    rates = dict(rows)
    usual = sorted(rates.values())[len(rates) // 2]
    off = {day for day, rate in rates.items() if abs(rate - usual) > usual * 0.005}
    assert off == {fx["window_from"]}
    assert fx["amount_usd_micros"] > 0


def test_every_fault_has_a_place_of_its_own_and_the_kind_it_becomes(world):
    _, out, truth = world
    faults = truth["faults"]
    assert [one["fault"] for one in faults] == list(FAULTS)
    assert len({(one["network"], one["window_from"]) for one in faults}) == len(faults)
    assert {one["network"] for one in faults if one["fault"] == "viewability"} == {"*"}
    for one in faults:
        assert one["kind"] == FAULTS[one["fault"]] or (one["fault"] == "viewability" and one["impressions"] < 10_000)
    assert pq.read_table(out / "truth.parquet").num_rows == len(faults)


def test_the_same_request_gives_the_same_bytes_however_many_threads(tmp_path):
    told = {"days": 4, "events_per_day": 400, "faults": parse_faults("underpay,late")}
    first = _digest(made(tmp_path, "a", **told).out)
    assert _digest(made(tmp_path, "b", threads=3, **told).out) == first
    other = _digest(made(tmp_path, "c", seed=2, **told).out)
    assert other["own/events/2026-01-01.parquet"] != first["own/events/2026-01-01.parquet"]


def test_a_world_without_faults_is_clean(tmp_path):
    clean = made(tmp_path, days=3, events_per_day=500, faults={}, networks=("smaato", "fyber", "vungle", "acme"))
    assert clean.truth == ()
    said = f"read_csv('{clean.out}/statements/{{}}/*.csv', union_by_name = true)"
    events = f"read_parquet('{clean.out}/own/events/*.parquet')"
    own = dict(duckdb.sql(f"select network, sum(original_micros)::bigint from {events} group by all").fetchall())
    for network, column in (("smaato", "Revenue"), ("acme", "Paid")):
        query = f'select (sum("{column}"::decimal(38, 6)) * 1000000)::bigint from {said.format(network)}'
        assert duckdb.sql(query).fetchall() == [(own[network],)]


def test_of_all_faults_those_that_fit_are_planted_and_the_others_are_told(tmp_path):
    world = made(tmp_path, days=2, events_per_day=50, networks=("admob", "unity"))
    truth = json.loads((world.out / "truth.json").read_text())
    planted = {one["fault"] for one in truth["faults"]}
    assert {"late", "fx"} <= set(world.left_out) == set(truth["left_out"]) == set(FAULTS) - planted
    assert planted


def test_faults_that_nothing_tells_apart_lie_apart_or_say_so(tmp_path):
    far = plant(WorldRequest(tmp_path, days=40, networks=("admob",), faults={"late": 1, "missing": 1}))
    near = plant(WorldRequest(tmp_path, days=7, networks=("admob",), faults={"late": 1, "missing": 1, "timezone": 1}))
    assert not any(one.is_ambiguous for one in far)
    assert all(one.is_ambiguous for one in near)


def test_what_cannot_be_made_is_said(tmp_path):
    with pytest.raises(BadWorld, match="no place"):
        plant(WorldRequest(tmp_path, days=3, networks=("admob",), faults=dict.fromkeys(FAULTS, 1)))
    with pytest.raises(BadWorld, match="no place"):
        plant(WorldRequest(tmp_path, days=30, networks=("admob",), faults={"fx": 1}))
    with pytest.raises(BadWorld, match="no fault"):
        parse_faults("underpay,overplay")
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "mine").touch()
    with pytest.raises(BadWorld, match="not empty"):
        made(tmp_path)
    assert parse_faults("late:3, fx") == {"late": 3, "fx": 1}
    assert parse_faults("all") is None
    planted = plant(WorldRequest(tmp_path, days=80, faults=dict.fromkeys(FAULTS, 3)))
    assert len(planted) == 3 * len(FAULTS)
