"""How many days rows that a key pairs lie apart, where their dates tell of different days or clocks."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import duckdb

from tieout.books.compare.column_profile import Column
from tieout.books.compare.evidence import meet_by_key, pair_rows
from tieout.books.compare.lags import FARTHEST_DAYS, FEW_PAIRS, MAX_DAYS
from tieout.books.compare.measured import Facts
from tieout.books.compare.settled import InferOptions
from tieout.books.compare.statements import lags_of, moments_of
from tieout.books.compare.wording import count, days_told, decided, pair_label, percent, time_told
from tieout.engine.plan import Decision
from tieout.store.trees import column

SELDOM_SAME = 0.5
"""Dates that are the same on fewer of the rows that a key pairs tell of different days."""
NEARLY_ALL = 0.98


@dataclass(frozen=True)
class KeyWindow:
    """How many days rows that a key pairs lie apart, None where that is any number of days, and what to say of it."""

    days: int | None
    decision: Decision


def window_of_key(
    con: duckdb.DuckDBPyConnection,
    facts: Facts,
    options: InferOptions,
    dates: tuple[Column | None, Column | None],
) -> KeyWindow | None:
    """Return the window of rows that a key pairs where their dates are seldom the same: booked one day, paid another.

    None where the user gave one, where dates are the same as a rule, so that each that is not is a finding, or where
    there are too few pairs to tell.
    """
    ours, theirs = dates
    finding = facts.tie.finding
    if facts.tie.by != "key" or finding is None or options.window_days is not None or ours is None or theirs is None:
        return None
    agreement = facts.agreements.get((ours.no, theirs.no))
    if agreement is None or agreement.present < FEW_PAIRS:
        return None
    meet_by_key(con, finding.ours, finding.theirs, finding.reference_form)
    values, label = (column(ours.alias), column(theirs.alias)), pair_label(ours, theirs)
    told = f"the same on {percent(agreement.rate)} of {count(agreement.present)} paired rows"
    if agreement.rate >= SELDOM_SAME:
        if not ours.kind == theirs.kind == "timestamp":
            return None
        pair_rows(con)
        moments = moments_of(con, *values)
        if not moments.pairs or moments.same >= SELDOM_SAME * moments.pairs:
            return None
        told = f"at the same second on {percent(moments.same / moments.pairs)} of {count(moments.pairs)} paired rows"
        if moments.usual_pairs >= SELDOM_SAME * moments.pairs:
            later = "later" if moments.usual_s > 0 else "earlier"
            told += f", {time_told(abs(moments.usual_s))} {later} on {percent(moments.usual_pairs / moments.pairs)}"
    lags, _ = lags_of(con, *values, FARTHEST_DAYS)
    distances = sorted(abs(lag) for lag, pairs in lags.items() for _ in range(pairs))
    if len(distances) < FEW_PAIRS:
        return None
    days = distances[ceil(NEARLY_ALL * len(distances)) - 1]
    if days > MAX_DAYS:
        evidence = f"{told}, and more than {MAX_DAYS} days apart on many"
        return KeyWindow(None, decided("not compared", label, 0.7, evidence, "--window-days"))
    days = max(days, 1)
    evidence = f"{label} is {told}, and so near on {percent(NEARLY_ALL)}"
    return KeyWindow(days, decided("window", days_told(days), 0.7, evidence, "--window-days"))
