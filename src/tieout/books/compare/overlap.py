"""Which columns of both sides hold the same values, from a sketch of the distinct values of each column."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import duckdb
from sqlglot import exp

from tieout.books.compare.column_profile import FEW_ROWS, Column, SideProfile, kept_value, table_of
from tieout.books.compare.statements import create, run_file, select, union
from tieout.engine.parse import is_text
from tieout.store.trees import call, cast, column, integer, is_present, named, string, try_cast

Domain = Literal["text", "number", "day"]

SKETCH_VALUES = 2_048
"""About how many distinct values of a column are kept to be compared."""


@dataclass(frozen=True)
class Overlap:
    """How the values of a column of ours meet those of a column of theirs; counts are of the sketch."""

    domain: Domain
    common: int
    ours_distinct: int
    theirs_distinct: int
    ours_rows: int
    theirs_rows: int
    ours_common_rows: int
    theirs_common_rows: int
    chance: float

    @property
    def containment(self) -> float:
        """The share of the smaller set of values that the other side has too."""
        return self.common / min(self.ours_distinct, self.theirs_distinct)

    @property
    def row_share(self) -> float:
        """The smaller share of rows, of both sides, whose value the other side has."""
        return min(self.ours_common_rows / self.ours_rows, self.theirs_common_rows / self.theirs_rows)


Overlaps = dict[tuple[int, int], Overlap]
"""By the column numbers of ours and theirs, in the domain where the pair has most in common."""


def sketch_values(con: duckdb.DuckDBPyConnection, ours: SideProfile, theirs: SideProfile) -> list[SideProfile]:
    """Keep a sketch of the values of every column; return both sides with distinct counts as exact as it has them."""
    selects = [_sketch(c, domain) for side in (ours, theirs) for c in side.columns for domain in domains_of(c)]
    if not selects:
        return [ours, theirs]
    create(con, "infer_sketch", union(selects))
    exact = {(side, no, domain): values for side, no, domain, values in run_file(con, "sketched")}
    found = []
    for side in (ours, theirs):
        counts = {c.name: exact.get((c.side, c.no, domain)) for c in side.columns for domain in domains_of(c)[:1]}
        changed = {c.name: replace(c, distinct=counts[c.name] or c.distinct) for c in side.columns if c.name in counts}
        found.append(side.replaced(changed))
    return found


def measure_overlaps(con: duckdb.DuckDBPyConnection) -> Overlaps:
    """Compare the sketched values of every column of ours with those of every column of theirs."""
    found: Overlaps = {}
    for ours_no, theirs_no, domain, *counts in run_file(con, "overlap"):
        overlap = Overlap(domain, *counts)
        before = found.get((ours_no, theirs_no))
        if before is None or overlap.containment > before.containment:
            found[ours_no, theirs_no] = overlap
    return found


def domains_of(c: Column) -> tuple[Domain, ...]:
    """Return the forms in which values of a column can equal those of another: digits also count as numbers."""
    if not c.filled:
        return ()
    if c.kind == "number":
        return ("number",)
    if c.kind in ("date", "timestamp"):
        return ("day",)
    return ("text", "number") if c.is_digits and c.max_length <= 12 else ("text",)


def domain_value(c: Column, domain: Domain) -> exp.Expression:
    """Return the expression of a column's value in a domain, over `table_of` the column."""
    value = kept_value(c)
    if domain == "day":
        return cast(value, "DATE")
    if domain == "number":
        return value if c.kind == "number" else try_cast(value, "DECIMAL(18, 6)")
    return call("lower", value if is_text(c.source_type) else cast(value, "VARCHAR"))


def _sketch(c: Column, domain: Domain) -> exp.Select:
    expected = c.distinct if domain != "day" else min(c.distinct, (c.high - c.low).days + 1)
    mask = 1
    while c.rows > FEW_ROWS and mask * SKETCH_VALUES < expected:
        mask *= 2
    value = domain_value(c, domain)
    hashes = select(table_of(c), named(call("hash", value), "value_hash"), where=is_present(value.copy()))
    source = exp.Subquery(this=hashes, alias=exp.TableAlias(this=exp.to_identifier("hashed")))
    bits = exp.BitwiseAnd(this=column("value_hash"), expression=cast(integer(mask - 1), "UBIGINT"))
    query = select(
        source,
        named(string(c.side), "side"),
        named(integer(c.no), "column_no"),
        named(string(domain), "domain"),
        named(cast(integer(mask - 1), "UBIGINT"), "mask"),
        column("value_hash"),
        named(exp.Count(this=exp.Star()), "rows"),
        where=exp.EQ(this=bits, expression=integer(0)),
    )
    query.set("group", exp.Group(expressions=[column("value_hash")]))
    return query
