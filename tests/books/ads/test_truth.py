"""The system is held to the truth of generated worlds: each planted fault is found as what it is, and nothing else."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.books.ads.worlds import made, taken_in
from tieout.books.ads.expected import build_expected
from tieout.books.ads.generate import FAULTS
from tieout.books.ads.matching import match_ads
from tieout.books.ads.period import Period, parse_period
from tieout.books.ads.reconcile import reconcile_ads
from tieout.books.ads.tunables import Tunables
from tieout.books.workspace import Workspace

ROUNDED = 100
"""So many micros may be of rounding where a line is not in dollars: a half an impression and one for the line."""
RATES_APART = 400
"""Rates of days next to each other are less than such a part of each other apart."""
EVERYTHING = Tunables(underpay_e12=0, missing_e12=0)


@dataclass(frozen=True)
class Known:
    """A world that was taken in, with its truth: its faults and the units that they meet."""

    opened: Workspace
    first: date
    days: int
    dollars: frozenset[str]
    faults: tuple[dict, ...]
    units: tuple[dict, ...]

    def periods(self, *lengths: int) -> list[Period]:
        """Cut the world into periods of so many days; the last length repeats."""
        found, at = [], 0
        while at < self.days:
            length = min(lengths[min(len(found), len(lengths) - 1)], self.days - at)
            start = self.first + timedelta(days=at)
            found.append(parse_period(str(start), str(start + timedelta(days=length)), is_forced=True))
            at += length
        return found


@dataclass(frozen=True)
class Told:
    """What the system says of a period."""

    period: Period
    deltas: tuple[dict, ...]
    units: tuple[dict, ...]
    balance: dict


def known(tmp_path: Path, **told) -> Known:
    world = made(tmp_path, **told)
    truth = json.loads((world.out / "truth.json").read_text())
    units = pq.read_table(world.out / "truth_unit.parquet").to_pylist()
    opened = taken_in(tmp_path, world)
    dollars = frozenset(truth["world"]["networks"][::2])
    return Known(opened, date(2026, 1, 1), truth["world"]["days"], dollars, tuple(truth["faults"]), tuple(units))


def judged(world: Known, periods: list[Period], tunables: Tunables) -> list[Told]:
    """Take the periods through all stages; every period is matched before the first is judged."""
    for period in periods:
        build_expected(world.opened, period)
    for period in periods:
        match_ads(world.opened, period)
    found = []
    for period in periods:
        run = reconcile_ads(world.opened, period, tunables).done.run
        facts = [
            tuple(pq.read_table(world.opened.store.runs.file_path(run, name)).to_pylist())
            for name in ("delta", "delta_unit", "balance")
        ]
        found.append(Told(period, *facts[:2], facts[2][0]))
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[Known]:
    """Every fault within five days."""
    found = known(tmp_path_factory.mktemp("truth"), days=5, events_per_day=10_050, seed=3)
    assert {one["fault"] for one in found.faults} == set(FAULTS)
    yield found
    found.opened.close()


@pytest.fixture(scope="module")
def by_day(world) -> list[Told]:
    return judged(world, world.periods(1), Tunables())


@pytest.fixture(scope="module")
def as_one(world) -> list[Told]:
    return judged(world, world.periods(world.days), EVERYTHING)


def place(unit: dict) -> tuple:
    """Where a part lies. What waits for an event has no country: neither has, then, what is late."""
    is_timing = unit["kind"] == "timing_lag"
    country = "" if is_timing else unit["country"]
    return (
        unit["kind"],
        unit["event_date"],
        unit["network"],
        unit["app_id"],
        unit["ad_unit_id"],
        unit["format"],
        country,
    )


def assert_units(world: Known, told: list[Told], kinds: set[str]) -> None:
    """Each unit of each planted fault has its money, to the micro, and no other unit has any."""
    left, off = defaultdict(int), defaultdict(int)
    for unit in world.units:
        if unit["kind"] in kinds:
            left[place(unit)] += unit["amount_usd_micros"]
            off[place(unit)] += unit["off_micros"]
    planted = set(left)
    for period in told:
        for unit in period.units:
            left[place(unit)] -= unit["amount_micros"]
            if place(unit) not in planted and unit["network"] not in world.dollars:
                off[place(unit)] += ROUNDED + max(unit["expected_micros"], unit["reported_micros"]) // RATES_APART
    assert {where: (micros, off[where]) for where, micros in left.items() if abs(micros) > off[where]} == {}


def test_each_day_has_the_deltas_that_were_planted_on_it_and_no_other(world, by_day):
    wanted = Counter({(one["window_from"], one["kind"]) for one in world.faults if one["kind"]})
    found = Counter((str(told.period.first_day), one["kind"]) for told in by_day for one in told.deltas)
    assert found == wanted
    assert_units(world, by_day, {kind for _, kind in wanted})


def test_deltas_without_money_name_what_stands_out(world, by_day):
    suffixes = {
        one["evidence_id"].split("Z:")[-1]: str(told.period.first_day)
        for told in by_day
        for one in told.deltas
        if one["kind"] in ("ivt_outlier", "fx_mismatch", "viewability_gap")
    }
    faults = {one["fault"]: one for one in world.faults}
    assert suffixes == {
        "ivt": faults["ivt"]["window_from"],
        f"fx:{faults['fx']['currency']}": faults["fx"]["window_from"],
        "viewability": faults["viewability"]["window_from"],
    }


def test_the_whole_period_has_the_same_faults_in_the_same_units(world, as_one):
    [told] = as_one
    assert {one["kind"] for one in told.deltas} == {unit["kind"] for unit in world.units}
    assert_units(world, as_one, {unit["kind"] for unit in world.units})


def test_money_is_conserved_however_the_period_is_cut(world, by_day, as_one):
    def sums(every: list[Told]) -> dict[str, int]:
        names = [name for name in every[0].balance if name.endswith("_micros")]
        return {name: sum(int(told.balance[name]) for told in every) for name in names}

    cut, whole = sums(by_day), sums(as_one)
    for name in ("expected_micros", "reported_micros"):
        assert cut[name] == whole[name]
    parts = ("delta_micros", "tolerated_micros", "settled_micros", "review_micros")
    assert sum(cut[name] for name in parts) == sum(whole[name] for name in parts)
    assert abs(cut["settled_micros"] - whole["settled_micros"]) <= ROUNDED


def test_another_seed_cut_in_the_midst_of_what_moves(tmp_path):
    """What is late and what is stated a day early lie in another period than the day that they are of."""
    faults = dict.fromkeys(("underpay", "missing", "late", "timezone"), 1)
    networks = ("admob", "applovin", "meta")
    found = known(tmp_path, days=4, events_per_day=900, seed=11, networks=networks, ad_units=6, faults=faults)
    told = judged(found, found.periods(1, 2), EVERYTHING)
    assert_units(found, told, {unit["kind"] for unit in found.units})
    found.opened.close()
