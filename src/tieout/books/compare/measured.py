"""Everything that is measured about two inputs before a plan is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb

from tieout.books.compare.column_profile import Asked, Column, SideName, SideProfile, profile_side, set_copies_aside
from tieout.books.compare.correspondence import ColumnPair, corresponding, name_likenesses
from tieout.books.compare.evidence import Agreements, meet_by_key, pair_rows
from tieout.books.compare.formats import Verdict, settle_rivals, shown
from tieout.books.compare.keys import GroupSums, Search
from tieout.books.compare.money import (
    Money,
    amount_shares,
    asked_amounts,
    choose_money,
    keep_unique_amounts,
    told_by_words,
)
from tieout.books.compare.overlap import measure_overlaps, sketch_values
from tieout.books.compare.roles import SAME, Share
from tieout.books.compare.settled import InferOptions, Names, PlanUndecided, ignored_columns
from tieout.books.compare.tie import Tie, find_tie, tie_without_mistyped

MIN_PAIRS = 3


@dataclass(frozen=True)
class Inputs:
    """Two relations of a connection, with DuckDB's type of each of their columns."""

    con: duckdb.DuckDBPyConnection
    relations: Mapping[SideName, str]
    types: Mapping[SideName, Mapping[str, str]]
    names: Names
    is_sample: bool


@dataclass(frozen=True)
class Facts:
    """What was measured. `paired` rows were held against each other in `agreements`; `verdicts` settle formats."""

    search: Search
    names: Names
    pairs: tuple[ColumnPair, ...]
    tie: Tie
    money: Money
    agreements: Agreements
    paired: int
    verdicts: Mapping[tuple[SideName, str], Verdict] = field(default_factory=dict)

    def side(self, side: SideName) -> SideProfile:
        return self.search.ours if side == "ours" else self.search.theirs


def measure_inputs(inputs: Inputs, options: InferOptions, asked: Asked) -> Facts:
    """Measure both inputs: columns, common values, what ties rows together, and the amounts."""
    con, names = inputs.con, inputs.names
    ours, theirs = sketch_values(con, _profile(inputs, "ours", asked), _profile(inputs, "theirs", asked))
    ours, theirs = set_copies_aside(con, ours), set_copies_aside(con, theirs)
    ignored = ignored_columns(options, names)
    overlaps = measure_overlaps(con)
    likenesses = name_likenesses(ours, theirs)
    ours_amounts, theirs_amounts, is_asked = asked_amounts(con, options, names, ours, theirs, ignored)
    search = Search(con, ours, theirs, ours_amounts, theirs_amounts, likenesses, overlaps, ignored, inputs.is_sample)
    pairs = corresponding(ours, theirs, likenesses, overlaps, {}, ignored)
    tie = find_tie(search, options, names, pairs)
    money, agreements, paired = _measure_money(search, tie, options, is_asked=is_asked)
    if money.pair is None and not options.on:
        former, tie = tie.finding, tie_without_mistyped(search, tie)
        if former is not None and tie.finding is None:  # how far its rows lie apart in days still tells the window
            meet_by_key(con, former.ours, former.theirs, former.reference_form)
    pairs = corresponding(ours, theirs, likenesses, overlaps, agreements, ignored | tie.columns)
    return Facts(search, names, tuple(pairs), tie, money, agreements, paired)


def _profile(inputs: Inputs, side: SideName, asked: Asked) -> SideProfile:
    columns = profile_side(inputs.con, side, inputs.relations[side], inputs.types[side], asked)
    for c in columns:
        _require_readable(c, asked, inputs.names)
    return SideProfile(side, inputs.names.called(side), columns[0].rows, columns)


def _require_readable(c: Column, asked: Asked, names: Names) -> None:
    """Refuse a format that the user gives for a column when no value of it is written so."""
    is_forced, is_ordered = asked.is_forced(c.side, c.name), (c.side, c.name) in asked.orders
    is_unread = (is_forced and not c.parsed) or (is_ordered and c.kind not in ("date", "timestamp"))
    if not c.filled or not is_unread:
        return
    option = "--number-format" if is_forced and c.kind == "number" else "--date-format"
    form = asked.orders[c.side, c.name] if is_ordered else shown(c.type)
    raise PlanUndecided(
        f"No value of {c.name} in {names.called(c.side)} can be read as {form}.",
        subject=c.name,
        remedy=f"Give the format that it has with {option}, or leave {option} out.",
    )


def _measure_money(search: Search, tie: Tie, options: InferOptions, *, is_asked: bool) -> tuple[Money, Agreements, int]:
    """Choose the amounts, and see what agrees on rows paired by the key, else by amounts that are unique."""
    finding, hint = tie.finding, tie.hint
    agreements: Agreements = finding.agreements if finding is not None else {}
    paired = max((agreement.present for agreement in agreements.values()), default=0)
    if hint is not None and hint.sums:
        told_by = f"the rows that share {hint.label}"
        money = choose_money(search, options, _row_shares(hint.sums), told_by, is_asked=is_asked)
    else:
        sums = finding.sums if finding is not None and tie.by == "group" else None
        is_paired = tie.by == "key" and paired >= MIN_PAIRS
        shares = amount_shares(search, agreements, sums, is_paired=is_paired)
        told_by = told_by_words(is_group=bool(sums), is_paired=is_paired, pairs=paired)
        money = choose_money(search, options, shares, told_by, is_asked=is_asked, is_paired=is_paired)
    if tie.by != "likeness" or money.pair is None:
        return money, agreements, paired
    keep_unique_amounts(search, money.pair)
    paired = pair_rows(search.con)
    return money, search.agreements(), paired


def _row_shares(sums: GroupSums) -> dict[tuple[int, int], Share | None]:
    """Return how often a single row of ours equals a single row of theirs among rows that share a hint."""
    return {nos: Share(SAME, s.row_equal / s.groups if s.groups else 0.0, 0.0) for nos, s in sums.items()}


def settle_formats(con: duckdb.DuckDBPyConnection, facts: Facts) -> dict[tuple[SideName, str], Verdict]:
    """Decide the columns that two formats read equally well."""
    search, tie = facts.search, facts.tie
    open_: list[tuple[SideProfile, SideProfile, Column]] = [
        (own, other, c)
        for own, other in ((search.ours, search.theirs), (search.theirs, search.ours))
        for c in own.columns
        if c.rivals
    ]
    if not open_:
        return {}
    paired = 0
    if tie.by == "key" and tie.finding is not None:
        meet_by_key(con, tie.finding.ours, tie.finding.theirs, tie.finding.reference_form)
        paired = pair_rows(con)
    return {(c.side, c.name): settle_rivals(con, c, own, other, search.likenesses, paired) for own, other, c in open_}
