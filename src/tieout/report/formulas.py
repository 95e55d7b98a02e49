"""Text that a spreadsheet would run as a formula, made plain text: `core/formulas.py` as a DuckDB expression."""

from __future__ import annotations

import duckdb

from tieout.core.formulas import LONE_NUMBER, OPENS_FORMULA


def neutralised(column: str) -> duckdb.Expression:
    """Return the expression that does to a column of text what `neutralise` does to one text."""
    text = duckdb.ColumnExpression(column)
    is_formula = _matches(text, OPENS_FORMULA) & ~_matches(text, LONE_NUMBER)
    quoted = duckdb.FunctionExpression("concat", duckdb.ConstantExpression("'"), text)
    return duckdb.CaseExpression(is_formula, quoted).otherwise(text).alias(column)


def _matches(text: duckdb.Expression, pattern: str) -> duckdb.Expression:
    return duckdb.FunctionExpression("regexp_matches", text, duckdb.ConstantExpression(pattern))
