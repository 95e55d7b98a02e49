"""Make a world of two sides with known truth: our events and receipts, the networks' statements, and planted faults.

Every row is a function of the seed and its number, so that a day of any size streams through memory, and the same
request gives the same bytes.
"""

from __future__ import annotations

import hashlib
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from tieout.books.ads.layout import CELLS, Layout, layouts_of
from tieout.books.ads.moving import LAGS
from tieout.books.ads.steps import ads_step
from tieout.core.errors import TieoutError
from tieout.core.settings import Settings
from tieout.engine.steps import Runner
from tieout.store.duck import connect, interrupts_told
from tieout.store.folders import storing

FAULTS: Mapping[str, str] = {
    "underpay": "underpay",
    "overpay": "overpay",
    "missing": "missing",
    "missing_day": "missing",
    "duplicate": "duplicate",
    "unexpected": "unexpected",
    "late": "timing_lag",
    "timezone": "timing_lag",
    "fx": "fx_mismatch",
    "ivt": "ivt_outlier",
    "viewability": "viewability_gap",
    "rename": "",
    "restatement": "",
}
"""The faults that can be planted, each with the kind of delta that it must become ('' for none)."""

DEFAULT_NETWORKS = ("admob", "unity", "applovin", "ironsource", "meta")
_COUNTRY_CODES = "US DE JP GB FR BR IN KR CA AU MX ES IT NL SE PL TR ID TH VN PH MY SG TW CH AT BE DK NO FI PT IE NZ ZA"
COUNTRIES = tuple(_COUNTRY_CODES.split())
_CURRENCIES = (("USD", 1_000_000_000), ("EUR", 1_085_000_000), ("USD", 1_000_000_000), ("GBP", 1_270_000_000))
_FORMATS = ("banner", "interstitial", "rewarded", "native", "video")
_DAY_US = 86_400_000_000
_SHIFT_US = -8 * 3_600_000_000
_LATE_DAYS = 2
_FX_DRIFT_PPM = 50_000
_LARGE_NETWORKS = 5
_EVERYWHERE = frozenset({"viewability"})
"""Faults that meet all networks of a day, for only all of them move what is judged."""
_ROOM = {name: place for place, name in enumerate(("viewability", "late", "timezone", "fx"))}
"""Faults that need more room than a network on a day, in the order in which they choose theirs."""
_SHORT = frozenset({"late", "timezone", "missing", "missing_day"})
"""Faults on whose day impressions lack."""
_TARGET_SHARE = 4
"""Of so many units one is a target of the faults that meet units."""

_PARQUET = "format parquet, compression snappy, parquet_version v2"


class BadWorld(TieoutError):
    """A world cannot be made as asked."""

    code = "bad_world"


@dataclass(frozen=True)
class WorldRequest:
    """A world to make. `faults` counts how often each is planted, None plants each that fits once.

    `ad_units` are of each network.
    """

    out: Path
    seed: int = 1
    days: int = 40
    events_per_day: int = 10_000
    networks: tuple[str, ...] = DEFAULT_NETWORKS
    faults: Mapping[str, int] | None = None
    first_day: date = date(2026, 1, 1)
    ad_units: int = 16
    countries: int = 8


@dataclass(frozen=True)
class Planted:
    """A fault on a network and day (number from 0); one that is everywhere meets all networks of the day.

    Where money of one that is ambiguous is short on a day or comes on another, that of a fault nearby does too, and
    nothing in the data tells which is which.
    """

    fault_no: int
    fault: str
    kind: str
    network: str
    day_no: int
    lag_days: int
    is_everywhere: bool = False
    is_ambiguous: bool = False


@dataclass(frozen=True)
class World:
    """What was made: events of our side, lines of theirs, and the planted faults with their amounts.

    `left_out` are the faults that have no place in so few days and networks.
    """

    out: Path
    events: int
    lines: int
    truth: tuple[Mapping[str, Any], ...]
    left_out: tuple[str, ...] = ()


def parse_faults(text: str) -> dict[str, int] | None:
    """Return how often each fault is planted, from `none`, or names with commas, each with `:n` for n times.

    `all` is None: each that fits, once. Raises BadWorld.
    """
    if text.strip() == "none":
        return {}
    if text.strip() == "all":
        return None
    found: dict[str, int] = {}
    for part in text.split(","):
        name, _, times = part.strip().partition(":")
        if name not in FAULTS or not (times or "1").isdecimal():
            raise BadWorld(f"There is no fault {part.strip()!r}.", subject="--faults", remedy=f"{', '.join(FAULTS)}.")
        found[name] = int(times or "1")
    return found


def plant(request: WorldRequest) -> tuple[Planted, ...]:
    """Choose network and day of each fault: late in the world, where possible each on days of its own.

    Those that need most room choose first. Raises BadWorld where one that was asked for has no place.
    """
    asked = dict.fromkeys(FAULTS, 1) if request.faults is None else request.faults
    wanted = [name for name in FAULTS for _ in range(asked.get(name, 0))]
    taken: set[tuple[str, int]] = set()
    planted: list[Planted] = []
    for number, name in sorted(enumerate(wanted), key=lambda one: _ROOM.get(one[1], len(_ROOM))):
        days_taken = {day_no for _, day_no in taken}
        places = [place for place in _places(request, name, number) if not _reach(request, *place) & taken]
        if not places and request.faults is None:
            continue
        if not places:
            raise BadWorld(
                f"Fault {name} number {number + 1} has no place in {request.days} days of {len(request.networks)}"
                " networks.",
                subject=name,
                remedy="Ask for more days or networks, or fewer faults; fx needs a network that pays in another"
                " currency than dollars.",
            )
        fitting = [
            Planted(number + 1, name, FAULTS[name], network, day_no, lag, is_everywhere=name in _EVERYWHERE)
            for _, network, day_no, lag in places
        ]
        clear = [one for one in fitting if not any(_is_alike(one, other) for other in planted)] or fitting
        alone = (one for one in clear if not {day for _, day in _reach_of(request, one)} & days_taken)
        found = next(alone, clear[0])
        taken |= _reach_of(request, found)
        planted.append(found)
    return tuple(
        replace(one, is_ambiguous=any(_is_alike(one, other) for other in planted if other is not one))
        for one in sorted(planted, key=lambda one: one.fault_no)
    )


def _is_alike(one: Planted, other: Planted) -> bool:
    """Tell whether money that comes on another day for one of two faults may be taken for money of the other."""
    if one.network != other.network:
        return False
    return any(
        come - short.day_no in LAGS
        for moved, short in ((one, other), (other, one))
        for come in _comes_on(moved)
        if short.fault in _SHORT
    )


def _comes_on(one: Planted) -> tuple[int, ...]:
    """Return the day on which what a fault moves is stated, if it moves anything."""
    moved = {"late": one.day_no + one.lag_days, "timezone": one.day_no - 1}
    return (moved[one.fault],) if one.fault in moved else ()


def _reach_of(request: WorldRequest, one: Planted) -> set[tuple[str, int]]:
    return _reach(request, one.fault, one.network, one.day_no, one.lag_days)


def _places(request: WorldRequest, name: str, number: int) -> list[tuple[str, str, int, int]]:
    """Return where a fault may lie, as (fault, network, day, days of lag), best first; another network for each.

    Only the larger networks are met, so that the fault is more than the tolerance of the whole day.
    """
    lag = _LATE_DAYS if name == "late" else 0
    large = request.networks[:_LARGE_NETWORKS]
    networks = [large[(number + step) % len(large)] for step in range(len(large))]
    if name == "fx":
        networks = [network for network in networks if _currency(request, network)[0] != "USD"]
    # Of three days two have the usual rate, so that the days after a wrong one are held against that.
    first = 2 if name == "fx" else 1
    days = range(request.days - 1 - lag, first - 1, -1)
    return [(name, network, day_no, lag) for day_no in days for network in networks]


def _reach(request: WorldRequest, name: str, network: str, day_no: int, lag: int) -> set[tuple[str, int]]:
    """Return the networks and days whose figures a fault touches."""
    first = day_no - 1 if name == "timezone" else day_no
    networks: Sequence[str] = (network,)
    if name in _EVERYWHERE:
        networks = request.networks
    elif name == "fx":
        currency = _currency(request, network)[0]
        networks = [one for one in request.networks if _currency(request, one)[0] == currency]
    return {(one, day) for one in networks for day in range(first, day_no + lag + 1)}


def generate(
    settings: Settings, request: WorldRequest, scratch: Path, on_step: Callable[[str], None] = lambda _: None
) -> World:
    """Write a world into `request.out`, which must not exist or be empty. Raises BadWorld.

    own/events and own/receipts hold Parquet files by day, statements/<network> a CSV file a day (two where it is
    restated), truth.parquet and truth.json every fault, truth_unit.parquet the units that those about money meet,
    loads.json and ingest.sh how to take it all in.
    """
    _check(request)
    planted = plant(request)
    con = connect(settings, scratch / "duckdb")
    try:
        with interrupts_told(), storing(str(request.out)):
            _make_dimensions(con, request, planted)
            runner = Runner(con, request.out, on_step)
            return _write_world(con, runner, request, planted, on_step)
    finally:
        con.close()


def _check(request: WorldRequest) -> None:
    if request.out.exists() and any(request.out.iterdir()):
        raise BadWorld(f"{request.out} is not empty.", subject=str(request.out), remedy="Name a new folder.")
    limits = {
        "days": (request.days, 1, 3660),
        "events-per-day": (request.events_per_day, 1, 10**10),
        "ad-units": (request.ad_units, 1, 100_000),
        "countries": (request.countries, 1, len(COUNTRIES)),
        "networks": (len(request.networks), 1, 100),
        "seed": (request.seed, 0, 2**31),
    }
    for name, (value, least, most) in limits.items():
        if not least <= value <= most:
            raise BadWorld(f"--{name} is {value}.", subject=f"--{name}", remedy=f"Use {least} to {most}.")
    if len(set(request.networks)) < len(request.networks):
        raise BadWorld("A network is named twice.", subject="--networks")


def _currency(request: WorldRequest, network: str) -> tuple[str, int]:
    """Return the currency in which a network pays, and about what it is worth in nanos of a dollar."""
    return _CURRENCIES[request.networks.index(network) % len(_CURRENCIES)]


def _wobble_ppm(*parts: object) -> int:
    """Return -1000 to 1000, the same for the same parts."""
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") % 2001 - 1000


def _day(request: WorldRequest, day_no: int) -> date:
    return request.first_day + timedelta(days=day_no)


def _day_us(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def _make_dimensions(con: duckdb.DuckDBPyConnection, request: WorldRequest, planted: Sequence[Planted]) -> None:
    con.execute(f"set variable per_day = {request.events_per_day:d}")
    world = {"seed": request.seed, "units": request.ad_units, "countries": request.countries}
    _table(con, "world", [world])
    _table(con, "pick", [{"slot": slot, "network_no": _picked(slot, len(request.networks))} for slot in range(1000)])
    _table(con, "country_dim", [{"country_no": at, "country": code} for at, code in enumerate(COUNTRIES)])
    _table(con, "unit_dim", _units(request))
    _table(con, "network_day", _network_days(request, planted))
    _table(con, "planted", [asdict(one) for one in planted] or [asdict(Planted(0, "", "", "", -1, 0))])


def _picked(slot: int, count: int) -> int:
    """Return which network has a slot of a thousand: the first has the most, the last still a part."""
    return next(at for at in range(count) if (slot + 1) * count * (count + 3) <= 1000 * (at + 1) * (2 * count + 2 - at))


def _units(request: WorldRequest) -> list[dict[str, Any]]:
    every = max(1, min(_TARGET_SHARE, request.ad_units))
    return [
        {
            "network_no": network_no,
            "network": network,
            "unit_no": unit_no,
            "app_id": f"com.example.app{unit_no % 4}",
            "ad_unit_id": f"{network}-u{unit_no:05d}",
            "placement_id": f"p-{network}-{unit_no:05d}",
            "format": _FORMATS[unit_no % len(_FORMATS)],
            "price_micros": 800 + 37 * ((unit_no * 7919 + network_no * 104_729) % 331),
            "is_target": unit_no % every == every // 2,
        }
        for network_no, network in enumerate(request.networks)
        for unit_no in range(request.ad_units)
    ]


def _network_days(request: WorldRequest, planted: Sequence[Planted]) -> list[dict[str, Any]]:
    """Return for each network and day its rate and the fault that lies there."""
    faults = {
        (network, one.day_no): one
        for one in planted
        for network in (request.networks if one.is_everywhere else (one.network,))
    }
    rows = []
    for network_no, network in enumerate(request.networks):
        currency, base = _currency(request, network)
        for day_no in range(request.days + 1):
            day = _day(request, day_no)
            one = faults.get((network, day_no))
            fault = one.fault if one else ""
            wobble = 0 if currency == "USD" else _wobble_ppm(request.seed, currency, day_no)
            rate = base + base * wobble // 1_000_000
            rows.append(
                {
                    "network_no": network_no,
                    "network": network,
                    "day_no": day_no,
                    "day": day,
                    "day_us": _day_us(day),
                    "currency": currency,
                    "base_nanos": base,
                    "rate_nanos": rate,
                    "fx_rate_nanos": rate + rate * (_FX_DRIFT_PPM if fault == "fx" else 0) // 1_000_000,
                    "shift_us": _SHIFT_US if fault == "timezone" else 0,
                    "late_lag": one.lag_days if one else 0,
                    "fault": fault,
                }
            )
    return rows


def _table(con: duckdb.DuckDBPyConnection, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    con.register("made", pa.Table.from_pylist(list(rows)))
    con.execute(f"create or replace table {name} as from made")
    con.unregister("made")


def _write_world(
    con: duckdb.DuckDBPyConnection,
    runner: Runner,
    request: WorldRequest,
    planted: Sequence[Planted],
    on_step: Callable[[str], None],
) -> World:
    out = request.out
    for folder in ("own/events", "own/receipts"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    con.execute("create or replace table late_totals (network varchar, day_no bigint, original_micros bigint)")
    con.execute("create or replace table own_totals (day_no bigint, receipts bigint, usd_micros hugeint)")
    con.execute(
        "create or replace table unit_truths (fault_no bigint, event_date date, network varchar, app_id varchar,"
        " ad_unit_id varchar, country varchar, format varchar, amount_usd_micros bigint, impressions bigint)"
    )
    lags = {one.day_no: one.lag_days for one in planted if one.lag_days}
    for day_no in range(request.days):
        on_step(f"own day {day_no + 1} of {request.days}")
        _set_day(con, request, day_no)
        _write_own(con, request, day_no, lags.get(day_no, 0))
    lines = 0
    loads: list[dict[str, Any]] = []
    for day_no in range(request.days):
        on_step(f"statements of day {day_no + 1} of {request.days}")
        _set_day(con, request, day_no)
        _view_day_events(con, request, day_no)
        for name in ("event_said", "clean_line", "said_line", "day_total", "unit_truth"):
            runner.run(ads_step("generate", name))
        con.execute("insert into unit_truths from unit_truth")
        con.execute(f"{'insert into day_totals' if day_no else 'create or replace table day_totals as'} from day_total")
        lines += int(con.sql("select count(*) from said_line").fetchall()[0][0])
        for network in request.networks:
            loads += _write_statements(con, request, network, day_no)
    con.execute(f"create or replace view own_event as from read_parquet('{_quoted(out / 'own/events')}/*.parquet')")
    runner.run(ads_step("generate", "event_total"))
    con.execute("create or replace view event_totals as from event_total")
    if not planted:
        con.execute("delete from planted")
    for name in ("truth", "truth_unit"):
        runner.run(ads_step("generate", name))
    return _write_truth(con, request, loads, lines)


def _set_day(con: duckdb.DuckDBPyConnection, request: WorldRequest, day_no: int) -> None:
    day = _day(request, day_no)
    _table(con, "world_day", [{"day_no": day_no, "day_us": _day_us(day), "label": f"{day:%Y%m%d}"}])


def _write_own(con: duckdb.DuckDBPyConnection, request: WorldRequest, day_no: int, lag: int) -> None:
    """Write the receipts of a day and its paid events; those that come late go to the day on which they come."""
    step = ads_step("generate", "impression")
    con.execute(f"create or replace view impression as {step.sql}")
    events = request.out / "own" / "events"
    receipts = request.out / "own" / "receipts" / f"{_day(request, day_no)}.parquet"
    con.execute(f"copy ({_RECEIPTS}) to '{_quoted(receipts)}' ({_PARQUET})")
    con.execute(
        "insert into own_totals select ?, count(*), sum(winner_cpm_micros) // 1000 from read_parquet(?)",
        [day_no, str(receipts)],
    )
    on_time = events / f"{_day(request, day_no)}.parquet"
    con.execute(f"copy ({_EVENTS} where late_lag = 0) to '{_quoted(on_time)}' ({_PARQUET})")
    if lag:
        late = events / f"{_day(request, day_no + lag)}-late.parquet"
        con.execute(f"copy ({_EVENTS} where late_lag > 0) to '{_quoted(late)}' ({_PARQUET})")
        con.execute(
            "insert into late_totals select network, ?, sum(original_micros) from read_parquet(?) group by network",
            [day_no, str(late)],
        )
        con.execute(
            "insert into unit_truths select fault_no, ?, e.network, app_id, ad_unit_id, country, format,"
            " sum(revenue_usd_micros), count(*) from read_parquet(?) e join planted p on p.network = e.network"
            " and p.day_no = ? group by all",
            [_day(request, day_no), str(late), day_no],
        )


_EVENTS = """select request_id, event_us, network, app_id, ad_unit_id, format, country, 'impression' as revenue_type,
 usd_micros as revenue_usd_micros, currency, original_micros, fx_rate_nanos, viewable_ppm from impression"""
_RECEIPTS = """select 'a' || substr(request_id, 2) as receipt_id, request_id, receipt_us as ts_us, placement_id,
 usd_micros * 400 as floor_cpm_micros, 'USD' as currency, usd_micros * 1000 as winner_cpm_micros,
 network as winner_network, sha256(request_id || '|' || receipt_us || '|' || usd_micros) as receipt_hash
 from impression"""


def _view_day_events(con: duckdb.DuckDBPyConnection, request: WorldRequest, day_no: int) -> None:
    """View the events of a day and of the next, of which a shifted clock may put some on this one."""
    days = [_day(request, number) for number in (day_no, day_no + 1)]
    paths = [request.out / "own" / "events" / f"{day}{mark}.parquet" for day in days for mark in ("", "-late")]
    found = ", ".join(f"'{_quoted(path)}'" for path in paths if path.exists())
    con.execute(f"create or replace view day_event as from read_parquet([{found}])")


def _write_statements(
    con: duckdb.DuckDBPyConnection, request: WorldRequest, network: str, day_no: int
) -> list[dict[str, Any]]:
    """Write the statement of a network for a day, and before it the first version where it is restated."""
    asked = "select count(*), count(first_micros) from said_line where network = ?"
    lines, restated = con.execute(asked, [network]).fetchall()[0]
    if not lines:
        return []
    day = _day(request, day_no)
    folder = request.out / "statements" / network
    folder.mkdir(parents=True, exist_ok=True)
    versions = [("first_micros", "-first"), ("paid_micros", "")] if restated else [("paid_micros", "")]
    loads: list[dict[str, Any]] = []
    for paid, mark in versions:
        path = folder / f"{day}{mark}.csv"
        query = _statement_query(_layout(network), network, day, paid)
        separator = ";" if request.networks.index(network) % 3 == 1 else ","
        con.execute(f"copy ({query}) to '{_quoted(path)}' (format csv, header, delimiter '{separator}')")
        loads.append(
            {
                "network": network,
                "load_id": str(day),
                "report_id": "daily",
                "file": str(path.relative_to(request.out)),
                "restates": bool(loads),
            }
        )
    return loads


def _layout(network: str) -> Layout:
    return next((one for one in layouts_of(network) if one.name == network), layouts_of(network)[0])


def _statement_query(layout: Layout, network: str, day: date, paid: str) -> str:
    """Return the query of a statement with the headers of its network, in the order of its keys."""
    values = {
        "event_date": f"date '{day}'",
        "app_id": "app_id",
        "ad_unit_id": "ad_unit_id",
        "country": "country",
        "format": "format",
        "currency": "currency",
        "impressions": "impressions",
        "clicks": "clicks",
        "paid": _decimal(paid),
        "ivt_adjustments": _decimal("ivt_micros"),
        "viewable_pct": f"{_decimal('viewable_ppm * 100')}",
    }
    columns = ", ".join(f'{values[cell]} as "{_header(layout, cell)}"' for cell in CELLS if cell in values)
    return (
        f"select {columns} from said_line where network = '{network.replace(chr(39), chr(39) * 2)}'"
        " order by app_id, ad_unit_id, country, format, copy"
    )


def _header(layout: Layout, cell: str) -> str:
    return layout.names_of(cell)[-1 if len(layout.names_of(cell)) == 1 else 1].title()


def _decimal(micros: str) -> str:
    return f"(({micros}) // 1000000) || '.' || lpad((({micros}) % 1000000)::varchar, 6, '0')"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _write_truth(
    con: duckdb.DuckDBPyConnection, request: WorldRequest, loads: Sequence[Mapping[str, Any]], lines: int
) -> World:
    found = con.sql("from truth order by fault_no")
    truth = [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
    planted = {one["fault"] for one in truth}
    left_out = tuple(name for name in FAULTS if request.faults is None and name not in planted)
    counts = Counter(one["fault"] for one in truth)
    told = {**asdict(request), "out": "", "first_day": str(request.first_day), "faults": counts}
    events = request.days * request.events_per_day
    known = {"world": told, "events": events, "lines": lines, "left_out": left_out, "faults": truth}
    _write_json(request.out / "truth.json", known)
    _write_json(
        request.out / "loads.json", {"own": {"events": "own/events", "receipts": "own/receipts"}, "loads": loads}
    )
    commands = [
        "#!/bin/sh",
        "# Take this world in, from within its folder.",
        "set -eu",
        "tieout ingest ads --own events world own/events/*.parquet",
        "tieout ingest ads --own receipts world-receipts own/receipts/*.parquet",
    ]
    for load in loads:
        told_load = [
            f"--{name.replace('_', '-')} {shlex.quote(load[name])}" for name in ("network", "load_id", "report_id")
        ]
        restate = " --restate" if load["restates"] else ""
        commands.append(f"tieout ingest ads {' '.join(told_load)}{restate} {shlex.quote(load['file'])}")
    (request.out / "ingest.sh").write_text("\n".join(commands) + "\n", encoding="utf-8")
    return World(request.out, events, lines, tuple(truth), left_out)


def _write_json(path: Path, value: Any) -> None:
    path.write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
