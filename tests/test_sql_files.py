"""Rules that the SQL files of every room keep, because of what the engine below them does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

PACKAGE = Path(str(files("tieout")))
FEW_ROWS = {"run", "former_run", "size", "edge", "known", "sure", "has_amount", "slot"}
"""Relations of a single row, or of two hundred (slot), whatever the files."""
SQL_FILES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob("*.sql"))}
Queries = Mapping[str, exp.CTE]


@pytest.mark.parametrize("name", [name for name, path in SQL_FILES.items() if "unnest" in path.read_text().lower()])
def test_what_a_join_gives_is_kept_before_it_is_unnested(name: str) -> None:
    """DuckDB 2.0.0 ends such a query with an internal error (decision 0022)."""
    assert _unnested_joins(SQL_FILES[name].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "name", [name for name in SQL_FILES if name.startswith("engine/sql/") and "macros" not in name]
)
def test_relations_are_joined_on_what_they_share(name: str) -> None:
    """A step of few rows is planned as it is written (decision 0029): no condition is moved into a join."""
    tree = sqlglot.parse_one(SQL_FILES[name].read_text(encoding="utf-8"), dialect="duckdb")
    assert _unconditional(tree) <= FEW_ROWS


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("from a join b using (k) left join c on c.k = a.k semi join d using (k)", set()),
        ("select * from a, b where a.k = b.k", {"b"}),
        ("select * from a cross join b", {"b"}),
        ("select * from a cross join (select * from b) c", {"c"}),
        ("select * from run cross join (select unnest([1, 2]) as n) c", set()),
    ],
)
def test_a_join_without_a_condition_is_seen(query: str, found: set[str]) -> None:
    assert _unconditional(sqlglot.parse_one(query, dialect="duckdb")) == found


def _unconditional(tree: exp.Expression) -> set[str]:
    """Return what is joined without a condition, lists of constants apart."""
    joined = [join.this for join in tree.find_all(exp.Join) if not join.args.get("on") and not join.args.get("using")]
    return {
        relation.name if isinstance(relation, exp.Table) else relation.alias
        for relation in joined
        if isinstance(relation, exp.Table) or relation.find(exp.Table)
    }


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("select k, unnest(w) as word from a join b using (k)", 1),
        ("select k, unnest(w) as word from a left join b using (k)", 1),
        ("select k, unnest(w) as word from (from a join b using (k)) where k > 1", 1),
        ("with j as (from a join b using (k)) select k, unnest(w) as word from j", 1),
        ("with j as (from a join b using (k) union all from c) select k, unnest(w) as word from j", 1),
        ("with j as materialized (from a join b using (k)) select k, unnest(w) as word from j", 0),
        ("with j as (select k, list(w) as w from a join b using (k) group by k) select k, unnest(w) from j", 0),
        ("with j as (select k, list(w) as w from a join b using (k)) select k, unnest(w) from j", 0),
        ("with j as (select distinct k, w from a join b using (k)) select k, unnest(w) from j", 0),
        ("with j as (select w, sum(k) over (partition by w) as k from a join b using (k)) select unnest(w) from j", 0),
        ("with j as (select w, row_number() over () as k from a join b using (k)) select unnest(w) from j", 1),
        ("select k, unnest(w) as word from a semi join b using (k) anti join c using (k)", 0),
        ("select k, unnest(w) as word from a cross join run", 0),
        ("from (select k, unnest(w) as word from a) join b using (k)", 0),
    ],
)
def test_the_rule_sees_through_what_only_passes_rows_on(query: str, count: int) -> None:
    assert len(_unnested_joins(query)) == count


COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ)


@pytest.mark.parametrize("name", SQL_FILES)
def test_what_pairs_join_is_not_compared_beside_them(name: str) -> None:
    """Or the planner lets the two sides meet by that comparison before the pairs are asked for (decision 0023)."""
    assert _cycles(SQL_FILES[name].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("from p join o on o.k = p.a join t on t.k = p.b where o.c = t.c", 1),
        ("from p join o on o.k = p.a join t on t.k = p.b and t.c <> o.c", 1),
        ("from p, o join t on t.k = p.b and t.c = o.c where o.k = p.a", 1),
        ("from p join o using (k) join t using (j) where o.c = t.c", 1),
        ("from p join o on o.k = p.a join t on t.k = p.b where coalesce(o.c = t.c, false)", 0),
        ("from p join o on o.k = p.a join t on t.k = p.b where abs(o.c - t.c) < 5", 0),
        ("from p join o on o.k = p.a and o.m = p.m join t on t.k = p.b and t.m = p.m", 0),
        ("from p join o on o.k = p.a semi join t on t.k = p.b and t.c = o.c", 0),
    ],
)
def test_the_rule_sees_which_relations_a_comparison_holds_together(query: str, count: int) -> None:
    assert len(_cycles(query)) == count


def _cycles(text: str) -> list[str]:
    """Return the comparisons of two relations that others already hold together."""
    found = []
    for tree in sqlglot.parse(_filled_in(text), dialect="duckdb"):
        for select in tree.find_all(exp.Select) if tree is not None else ():
            source = select.args.get("from_")
            every = [*(select.args.get("joins") or []), *((source.this.args.get("joins") or []) if source else [])]
            joins = [join for join in every if join.kind.upper() not in ("SEMI", "ANTI")]
            held: dict[str, str] = {}
            seen: set[frozenset[str]] = set()
            for pair, told in _comparisons(select, joins):
                if len(pair) < 2 or pair in seen:
                    continue
                seen.add(pair)
                one, other = (_holder(held, name) for name in sorted(pair))
                if one == other:
                    found.append(told)
                else:
                    held[one] = other
    return found


def _filled_in(text: str) -> str:
    """Return the text with something in the places that a reader of the API fills in."""
    return re.sub(r"\$(\w+)", r"'\1'", re.sub(r"\(/\* \w+ \*/\)", "(select 1)", text))


def _comparisons(select: exp.Select, joins: list[exp.Join]) -> Iterator[tuple[frozenset[str], str]]:
    """Yield which two relations are compared, and how, as the planner sees it: between the ands.

    What joins by columns of one name is taken as compared with the first relation.
    """
    source = select.args.get("from_")
    for join in joins:
        if source is not None and join.args.get("using"):
            yield frozenset({source.this.alias_or_name, join.this.alias_or_name}), join.sql("duckdb")
    where = select.args.get("where")
    for condition in [*(join.args.get("on") for join in joins), where.this if where else None]:
        for part in condition.flatten() if isinstance(condition, exp.And) else [condition]:
            bare = part.unnest() if part is not None else None
            if isinstance(bare, COMPARISONS):
                sides = [{column.table for column in side.find_all(exp.Column)} for side in (bare.left, bare.right)]
                if all(len(side) == 1 for side in sides) and sides[0] != sides[1] and "" not in sides[0] | sides[1]:
                    yield frozenset(sides[0] | sides[1]), bare.sql("duckdb")


def _holder(held: Mapping[str, str], name: str) -> str:
    while name in held:
        name = held[name]
    return name


def _unnested_joins(text: str) -> list[str]:
    """Return the selects that unnest rows as a join in the same pipeline gives them."""
    found = []
    for tree in sqlglot.parse(_filled_in(text), dialect="duckdb"):
        if tree is None:
            continue
        own = {cte.alias: cte for cte in tree.find_all(exp.CTE)}
        for select in tree.find_all(exp.Select):
            unnests = [one for column in select.expressions for one in column.find_all(exp.Unnest, exp.Explode)]
            if any(one.find_ancestor(exp.Select) is select for one in unnests) and _reads_a_join(select, own):
                found.append(select.sql("duckdb"))
    return found


def _passes_a_join_on(query: exp.Expression, own: Queries) -> bool:
    if isinstance(query, exp.Union):
        is_gathered = bool(query.args.get("distinct"))
        return not is_gathered and any(_passes_a_join_on(side, own) for side in (query.left, query.right))
    return isinstance(query, exp.Select) and not _gathers(query) and _reads_a_join(query, own)


def _gathers(select: exp.Select) -> bool:
    """Say whether a select holds all rows before it gives the first."""
    if any(select.args.get(part) for part in ("group", "distinct", "order", "qualify")):
        return True
    own = [
        one
        for column in select.expressions
        for one in column.find_all(exp.AggFunc, exp.Window)
        if one.find_ancestor(exp.Select) is select
    ]
    return any(
        one.args.get("partition_by") or one.args.get("order")
        if isinstance(one, exp.Window)
        else not one.find_ancestor(exp.Window)
        for one in own
    )


def _reads_a_join(select: exp.Select, own: Queries) -> bool:
    source = select.args.get("from_")
    return _joins(select) or (source is not None and _is_of_a_join(source.this, own))


def _is_of_a_join(source: exp.Expression, own: Queries) -> bool:
    if _joins(source):
        return True
    if isinstance(source, exp.Subquery):
        return _passes_a_join_on(source.this, own)
    cte = own.get(source.name) if isinstance(source, exp.Table) else None
    return cte is not None and not cte.args.get("materialized") and _passes_a_join_on(cte.this, own)


def _joins(source: exp.Expression) -> bool:
    """Say whether rows of two sources are put together; a cross join only adds a row of settings, and on is true."""
    joins = [join for join in source.args.get("joins") or [] if join.kind.upper() not in ("SEMI", "ANTI")]
    return any(join.args.get("on") or join.args.get("using") for join in joins)
