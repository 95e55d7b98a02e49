"""What a day lacks and another day has too much of: the same impressions, stated on another day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

GRACE_DAYS = 7
"""So many days after its own an impression may still be stated, as the contract of the book grants."""
LAGS = (1, -1, *range(2, GRACE_DAYS + 1))
"""The days on which an impression may be stated instead of its own, the likelier first; -1 is a clock west of UTC."""
REACH_DAYS = sum(abs(lag) for lag in LAGS)
"""Days further apart never decide about each other: at each lag a day learns of one day only, so many days away."""

_DAYS = 1 << 22
"""More than there are days, so that a key and a day are one number."""

_Numbers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass
class _Sides:
    """Days of keys: what of each is left to be held against others, and what was found."""

    impressions: _Numbers
    micros: _Numbers
    used: _Numbers
    priced: _Numbers
    moved: _Numbers

    def take(self, places: _Numbers, impressions: _Numbers, priced: _Numbers, moved: _Numbers) -> None:
        """Take impressions with the money that they stand for, of which `moved` is told by both sides."""
        self.impressions[places] -= impressions
        self.micros[places] -= priced
        self.used[places] += impressions
        self.priced[places] += priced
        self.moved[places] += moved


def moved_days(con: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """Return for each key and day of `query` how many impressions moved, with what money they stand for and brought.

    The rows must be in the order of side, key and day. At each lag a day is held against one other day: lines of the
    same key first, then what may be of any country.
    """
    given = con.sql(query).to_arrow_table()
    column = {name: given.column(name).to_numpy() for name in given.column_names}
    is_short, is_blank = column["is_short"].astype(bool), column["is_blank"].astype(bool)
    sides = _Sides(
        column["impressions"].astype(np.int64),
        column["micros"].astype(np.int64),
        *(np.zeros(len(is_short), np.int64) for _ in range(3)),
    )
    short, blank, surplus = (np.flatnonzero(one) for one in (is_short, is_short & is_blank, ~is_short))
    day = column["day_no"].astype(np.int64)
    key, group = (column[name].astype(np.int64) * _DAYS + day for name in ("key_no", "group_no"))
    for lag in LAGS:
        _hold(sides, short, surplus, key, lag)
        _hold(sides, blank, surplus, group, lag)
    found = {"impressions": sides.used, "priced_micros": sides.priced, "moved_micros": sides.moved}
    return pa.table({name: given.column(name) for name in ("is_short", "key_no", "day_no")} | found)


def _hold(sides: _Sides, short: _Numbers, surplus: _Numbers, name: _Numbers, lag: int) -> None:
    """Hold each day that lacks against the surpluses of the same name `lag` days on, in their order."""
    short = short[sides.impressions[short] > 0]
    surplus = surplus[sides.impressions[surplus] > 0]
    if not len(short) or not len(surplus):
        return
    short = short[np.argsort(name[short], kind="stable")]
    wanted = name[short] + lag
    place = np.minimum(np.searchsorted(wanted, name[surplus]), len(wanted) - 1)
    is_wanted = wanted[place] == name[surplus]
    surplus, place = surplus[is_wanted], place[is_wanted]
    order = np.argsort(place, kind="stable")
    surplus, place = surplus[order], place[order]
    used = _in_order(sides.impressions[short], sides.impressions[surplus], place)
    worth = _share(sides.micros[surplus], sides.impressions[surplus], used)
    count = len(short)
    used_short = _sums(used, place, count)
    worth_short = _share(sides.micros[short], sides.impressions[short], used_short)
    moved_short = np.minimum(worth_short, _sums(worth, place, count))
    sides.take(surplus, used, worth, _in_order(moved_short, worth, place))
    sides.take(short, used_short, worth_short, moved_short)


def _in_order(whole: _Numbers, parts: _Numbers, place: _Numbers) -> _Numbers:
    """Give each of the parts what is left of the whole at its place when those before it have theirs."""
    before = np.cumsum(parts) - parts
    first = np.searchsorted(place, place)
    return np.clip(whole[place] - (before - before[first]), 0, parts)


def _share(micros: _Numbers, impressions: _Numbers, used: _Numbers) -> _Numbers:
    """Return the money of `used` of the impressions, rounded down, without a product of more than 63 bits."""
    return micros // impressions * used + micros % impressions * used // impressions


def _sums(values: _Numbers, place: _Numbers, count: int) -> _Numbers:
    found = np.zeros(count, np.int64)
    np.add.at(found, place, values)
    return found
