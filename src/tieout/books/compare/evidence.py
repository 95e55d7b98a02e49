"""What paired rows say: pair the rows of both sides by a key, then see which of their columns agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import duckdb
from sqlglot import exp

from tieout.books.compare.amounts import FIRST_AMOUNT_NO, AmountChoice, amount_value
from tieout.books.compare.column_profile import Column, SideProfile, kept_value, table_of, value_of
from tieout.books.compare.column_type import TEXT
from tieout.books.compare.overlap import Domain, domain_value, domains_of
from tieout.books.compare.statements import create, create_from_file, run_file, select, union
from tieout.engine.parse import is_text, parse_expression
from tieout.engine.plan import ReferenceForm
from tieout.engine.projection import REF_SEPARATOR, joined, reference_in
from tieout.store.trees import call, cast, column, integer, is_present, named, string


@dataclass(frozen=True)
class KeyOverlap:
    """How a key meets on both sides; `low` and `high` are there when all its values are whole numbers.

    Rows that are exact copies of another are set aside, and counted on their own.
    """

    ours_rows: int
    theirs_rows: int
    ours_filled: int
    ours_distinct: int
    theirs_filled: int
    theirs_distinct: int
    common: int
    common_unique: int
    ours_low: int | None
    ours_high: int | None
    theirs_low: int | None
    theirs_high: int | None
    ours_copies: int = 0
    theirs_copies: int = 0

    @property
    def ours_uniqueness(self) -> float:
        return self.ours_distinct / self.ours_filled if self.ours_filled else 0.0

    @property
    def theirs_uniqueness(self) -> float:
        return self.theirs_distinct / self.theirs_filled if self.theirs_filled else 0.0

    @property
    def containment(self) -> float:
        """The share of the smaller set of values that the other side has too."""
        smaller = min(self.ours_distinct, self.theirs_distinct)
        return self.common / smaller if smaller else 0.0

    @property
    def expected_by_chance(self) -> float:
        """The containment that whole numbers in these ranges would have if they had nothing to do with each other."""
        if self.ours_low is None or self.ours_high is None or self.theirs_low is None or self.theirs_high is None:
            return 0.0
        low, high = max(self.ours_low, self.theirs_low), min(self.ours_high, self.theirs_high)
        if high < low:
            return 0.0
        ours_density = self.ours_distinct / (self.ours_high - self.ours_low + 1)
        theirs_density = self.theirs_distinct / (self.theirs_high - self.theirs_low + 1)
        met = ours_density * theirs_density * (high - low + 1)
        return min(1.0, met / max(1, min(self.ours_distinct, self.theirs_distinct)))


@dataclass(frozen=True)
class Agreement:
    """How often two columns say the same on paired rows that have both; for numbers also with a sign or in cents.

    Of the `equal` texts so many are `rewritten`: the same but for capitals, accents and blanks.
    """

    domain: Domain
    present: int
    equal: int
    opposite: int
    hundredfold: int
    hundredth: int
    opposite_hundredfold: int
    opposite_hundredth: int
    near: int
    close_days: int
    lag_days: float | None
    rewritten: int = 0

    @property
    def rate(self) -> float:
        return self.equal / self.present if self.present else 0.0

    @property
    def factors(self) -> dict[tuple[int, int], float]:
        """Share of pairs that agree when theirs is multiplied by this sign and this power of ten."""
        counts = {
            (1, 0): self.equal,
            (-1, 0): self.opposite,
            (1, 2): self.hundredfold,
            (1, -2): self.hundredth,
            (-1, 2): self.opposite_hundredfold,
            (-1, -2): self.opposite_hundredth,
        }
        return {factor: count / self.present if self.present else 0.0 for factor, count in counts.items()}


Agreements = dict[tuple[int, int], Agreement]
"""By the numbers of a column or amount of ours and one of theirs."""


def key_value(
    columns: Sequence[Column], form: ReferenceForm = "written", days: frozenset[int] = frozenset()
) -> exp.Expr:
    """Return the text of a key over the raw rows, as the engine makes a reference of it; null when a part is.

    Forms other than `written` take macros of the engine. The parts at `days` are moments of which the day alone counts.
    """
    parts: list[exp.Expr] = []
    for position, c in enumerate(columns):
        if c.kind in ("date", "timestamp"):
            moment = value_of(c)
            written: exp.Expr = cast(cast(moment, "DATE") if position in days else moment, "VARCHAR")
        elif is_text(c.source_type) and not c.look.padded:
            written = call("nullif", column(c.alias), string(""))
        else:
            written = parse_expression(column(c.alias), TEXT, c.source_type)
        parts.append(reference_in(written, form))
    return joined(parts, REF_SEPARATOR)


def days_beside_moments(ours: Sequence[Column], theirs: Sequence[Column]) -> frozenset[int]:
    """Return the positions at which one side has days and the other moments, which meet by day."""
    kinds = enumerate({o.kind, t.kind} for o, t in zip(ours, theirs, strict=True))
    return frozenset(position for position, both in kinds if both == {"date", "timestamp"})


def meet_by_key(
    con: duckdb.DuckDBPyConnection,
    ours: Sequence[Column],
    theirs: Sequence[Column],
    form: ReferenceForm = "written",
) -> KeyOverlap:
    """Count how a key meets; leaves the values of both sides for `pair_rows`."""
    days = days_beside_moments(ours, theirs)
    for columns in (ours, theirs):
        side = columns[0].side
        keep_keys(con, side, key_value(columns, form, days), f"infer_{side}_raw")
    return _key_overlap(con, ours[0], theirs[0])


def keep_keys(con: duckdb.DuckDBPyConnection, side: str, key: exp.Expr, table: str) -> None:
    """Keep the distinct values of a key expression over a table of a side, with their rows and one row number.

    Exact copies of a row are not counted as rows of their own.
    """
    keyed = exp.select(exp.alias_(key, "key"), "row_no").from_(table)
    keyed = keyed.join(f"infer_{side}_copies", using=["row_no"], join_type="anti")
    grouped = exp.select(
        "key", exp.alias_(exp.Count(this=exp.Star()), "rows"), exp.alias_(call("min", exp.column("row_no")), "row_no")
    )
    create(
        con,
        f"infer_key_{side}",
        grouped.from_(keyed.subquery("keyed")).where(is_present(exp.column("key"))).group_by("key"),
    )


def _key_overlap(con: duckdb.DuckDBPyConnection, ours: Column, theirs: Column) -> KeyOverlap:
    counts = run_file(con, "key_overlap")[0]
    overlap = KeyOverlap(ours.rows - ours.copies, theirs.rows - theirs.copies, *counts)
    return replace(overlap, ours_copies=ours.copies, theirs_copies=theirs.copies)


def pair_rows(con: duckdb.DuckDBPyConnection) -> int:
    """Pair rows by the key that was met last, where it is unique on both sides. Return how many."""
    create_from_file(con, "infer_pair", "pair")
    return int(con.sql("select count(*) from infer_pair").fetchall()[0][0])


def measure_agreements(
    con: duckdb.DuckDBPyConnection,
    ours: SideProfile,
    theirs: SideProfile,
    amounts: tuple[Sequence[AmountChoice], Sequence[AmountChoice]],
    worth: frozenset[tuple[int, int]],
) -> Agreements:
    """See on the paired rows how often columns of ours agree with columns of theirs.

    Columns of text only take part when one of the pairs in `worth` has them: the others have no value in common.
    """
    _keep_values(con, ours, amounts[0], {o for o, _ in worth})
    _keep_values(con, theirs, amounts[1], {t for _, t in worth})
    found: Agreements = {}
    for ours_no, theirs_no, domain, *counts in run_file(con, "agreement"):
        agreement = Agreement(domain, *counts)
        before = found.get((ours_no, theirs_no))
        if before is None or agreement.rate > before.rate:
            found[ours_no, theirs_no] = agreement
    return found


def _keep_values(
    con: duckdb.DuckDBPyConnection, side: SideProfile, amounts: Sequence[AmountChoice], worth: set[int]
) -> None:
    """Keep the values of the paired rows of a side as one long table: pair, column, and the value in its domain."""
    cells = [(c, domain) for c in side.columns for domain in domains_of(c) if c.kind != "text" or c.no in worth]
    paired: list[exp.Expr] = [column("pair_no", "pair")]
    paired += [named(_qualified(_value_in(c, domain), _place(c)), _name(c.no, domain)) for c, domain in cells]
    extra = [amount for amount in amounts if amount.no >= FIRST_AMOUNT_NO]
    paired += [named(_qualified(amount_value(amount, side), "value"), _name(amount.no, "number")) for amount in extra]
    query = select(exp.alias_(exp.to_table("infer_pair"), "pair", table=True), *paired)
    query.set(
        "joins", [_join(f"infer_{side.side}_raw", "raw", side.side), _join(f"infer_{side.side}", "value", side.side)]
    )
    create(con, "infer_paired", query)
    selects = [_cell(c.no, domain) for c, domain in cells] + [_cell(amount.no, "number") for amount in extra]
    create(con, f"infer_value_{side.side}", union(selects or [_cell(0, "text")]))


def _join(table: str, alias: str, side: str) -> exp.Join:
    on = exp.EQ(this=column("row_no", alias), expression=column(f"{side}_row", "pair"))
    return exp.Join(this=exp.alias_(exp.to_table(table), alias, table=True), on=on)


def _name(no: int, domain: Domain) -> str:
    return f"v{no}_{domain}"


def _value_in(c: Column, domain: Domain) -> exp.Expression:
    return cast(kept_value(c), "VARCHAR") if domain == "text" else domain_value(c, domain)


def _place(c: Column) -> str:
    return "raw" if table_of(c).endswith("_raw") else "value"


def _qualified(value: exp.Expression, table: str) -> exp.Expression:
    for node in value.find_all(exp.Column):
        node.set("table", exp.to_identifier(table, quoted=True))
    return value


def _cell(no: int, domain: Domain) -> exp.Select:
    value: exp.Expression = column(_name(no, domain)) if no else exp.null()
    where: exp.Expression = is_present(value.copy())
    if domain == "number":
        where = exp.NEQ(this=value.copy(), expression=integer(0))
    return select(
        "infer_paired",
        column("pair_no"),
        named(integer(no), "column_no"),
        named(string(domain), "domain"),
        named(value.copy() if domain == "number" else cast(exp.null(), "DECIMAL(18, 6)"), "number"),
        named(value.copy() if domain == "day" else cast(exp.null(), "DATE"), "day"),
        named(_hash_of(call("folded", value.copy()), domain), "word"),
        named(_hash_of(value.copy(), domain), "spelt"),
        where=where,
    )


def _hash_of(text: exp.Expr, domain: Domain) -> exp.Expr:
    return call("hash", text) if domain == "text" else cast(exp.null(), "UBIGINT")
