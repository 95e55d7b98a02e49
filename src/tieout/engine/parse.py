"""From the text of a column to its value, as expression trees: exact decimals, dates and instants, or null.

Nothing here ever yields a wrong value for a text it does not understand: such a text becomes null, and
`is_rejected_expression` tells it apart from a text that says "no value".
"""

from __future__ import annotations

import re

from sqlglot import exp

from tieout.engine.plan import ColumnType
from tieout.store.trees import call, cast, integer, is_present, string, try_cast

NULL_TOKENS = ("", "null", "n/a", "na", "#n/a", "nan", "none", "nil", "-", "--", "\u2014", "\u2013")
"""Texts, in lower case and trimmed, that say "no value" in a column of numbers, dates or timestamps."""

EXCEL_SERIAL = "excel-serial"
UNIX_SECONDS = "unix-seconds"
UNIX_MILLISECONDS = "unix-milliseconds"
COUNTED_FORMATS = (EXCEL_SERIAL, UNIX_SECONDS, UNIX_MILLISECONDS)
"""Date formats that are a count, not a strptime pattern."""

FORMAT_SEPARATOR = "|"
"""Stands between the strptime patterns of a column that was written in several ways; the first that fits is used."""

_DATE_CODE = re.compile(r"%(?:-?[dmyHIMS]|[aAbBpYfzZ%])")

_CODES = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
CLF CLP CNH CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD
HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LTL
LVL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR
PLN PYG QAR RON RSD RUB RUR RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND
TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XAG XAU XCD XOF XPF YER ZAR ZMW ZWL
BTC ETH USDT USDC DEM FRF ITL ESP ATS BEF NLG FIM IEP PTE GRD SKK SIT EEK MTL CYP
"""
CURRENCY_CODES = frozenset(_CODES.split())
"""ISO 4217 codes in use, those of the euro's predecessors, and a few of digital money."""

CURRENCY_WORDS = (
    "kr",
    "zł",
    "Kč",
    "Ft",
    "Fr",
    "SFr",
    "Rs",
    "RM",
    "Rp",
    "\u043b\u0432",
    "\u0440\u0443\u0431",
    "\u0440",
)
_SPACES = " \u00a0\u2009\u202f"
_APOSTROPHES = "'\u2019"
_MINUS_SIGNS = "\u2212\u2013"
_DASHES = "\u2013\u2014"

_CURRENCY = rf"[A-Z]{{0,3}}\p{{Sc}}|{'|'.join(sorted(CURRENCY_CODES))}|(?:{'|'.join(CURRENCY_WORDS)})\.?"
_DIGITS = rf"[.,]?[0-9](?:[0-9.,{_APOSTROPHES}{_SPACES}]*[0-9])?(?:E[-+]?[0-9]+)?"
_NUMBER = rf"{_DIGITS}(?:[.,][-{_DASHES}]{{1,2}}|[.,])?"
_NUMBER_WITHIN = r"[.,]?[0-9](?:.*[0-9])?"
_OUTER_SYMBOL = r"^\p{Sc}|\s?\p{Sc}$"
_MINUS = rf"[-{_MINUS_SIGNS}]"
_NO_SIGN = rf"[^0-9()+{_MINUS_SIGNS}-]*"

DECORATED = (
    rf"(?i)(?:{_CURRENCY}|[-+({_MINUS_SIGNS}{_SPACES}])*{_NUMBER}(?:{_CURRENCY}|CR|DR|[-+){_MINUS_SIGNS}{_SPACES}])*"
)
"""A number and around it nothing but currencies, signs, parentheses, CR and DR (5.- says that there are no cents)."""

NEGATIVE = (
    rf"(?i){_NO_SIGN}(?:\({_NO_SIGN}{_NUMBER}{_NO_SIGN}\)|{_MINUS}{_NO_SIGN}{_NUMBER}"
    rf"|{_DIGITS}[^0-9()+{_MINUS_SIGNS}.,-]*(?:{_MINUS}|DR)){_NO_SIGN}"
)
"""A number with just one mark of a negative: parentheses, a minus sign before or after it, or DR."""

POSITIVE = rf"(?i){_NO_SIGN}(?:\+{_NO_SIGN}{_NUMBER}|{_NUMBER}{_NO_SIGN}\+?){_NO_SIGN}"

TOO_LARGE = "amount_too_large"
NOT_A_NUMBER = "not_a_number"

_LARGE = rf"(?:[0-9][.,{_APOSTROPHES}{_SPACES}]*){{13}}|[0-9.,][eE]\+?[0-9]"
_FIRST_DAY, _LAST_DAY = "1000-01-01", "9999-12-31"
_ISO_SECONDS = "____-__-_____:__:__"
_ISO_WITHOUT_OFFSET = (
    r"\s*[1-9][0-9]{3}[-/][0-9]{1,2}[-/][0-9]{1,2}(?:[ T][0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?Z?)?\s*"
)

_INTEGERS = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "UHUGEINT",
)
_FLOATS = ("DOUBLE", "FLOAT", "REAL")


def is_date_format(date_format: str) -> bool:
    """Say whether a text is a count, or one strptime pattern or several that each read day, month and year.

    A date without its year would be of 1900.
    """
    return date_format in COUNTED_FORMATS or all(map(_is_dated, date_format.split(FORMAT_SEPARATOR)))


def _is_dated(pattern: str) -> bool:
    codes = {code.replace("-", "") for code in _DATE_CODE.findall(pattern)}
    is_whole = all(codes & wanted for wanted in ({"%d"}, {"%m", "%b", "%B"}, {"%Y", "%y"}))
    return is_whole and "%" not in _DATE_CODE.sub("", pattern)


def parse_expression(
    column: exp.Expression,
    column_type: ColumnType,
    source_type: str,
    *,
    is_wide: bool = False,
    is_decorated: bool = True,
) -> exp.Expression:
    """Return the expression that turns `column`, of DuckDB type `source_type`, into a value of `column_type`.

    The value is a DECIMAL(18,6) (with `is_wide` a DECIMAL(38,6)), a DATE, a TIMESTAMP in UTC or a VARCHAR.
    It is null where the text is no such value or the number does not fit, and never an error. Without
    `is_decorated` a number with a currency or an accountant's sign is null too, and the query is planned sooner.
    """
    source = source_type.upper()
    if column_type.kind == "text":
        return _text(column, source)
    if column_type.kind == "number":
        decimal = "DECIMAL(38, 6)" if is_wide else "DECIMAL(18, 6)"
        return _number(column, column_type, source, decimal, is_decorated=is_decorated)
    return _moment(column, column_type, source)


def is_rejected_expression(
    column: exp.Expression,
    column_type: ColumnType,
    source_type: str,
    *,
    is_wide: bool = False,
    typed: exp.Expression | None = None,
) -> exp.Expression:
    """Return the predicate that holds where `column` says something that is no value of its type.

    Pass `typed` when the parsed value stands in a column already: then nothing is parsed twice.
    """
    if column_type.kind == "text":
        return exp.false()
    if typed is None:
        typed = parse_expression(column, column_type, source_type, is_wide=is_wide)
    unparsed = exp.And(this=exp.Is(this=exp.paren(typed), expression=exp.null()), expression=is_present(column.copy()))
    if not is_text(source_type):
        return unparsed
    return exp.Case().when(unparsed, exp.Not(this=says_nothing_expression(column.copy()))).else_(exp.false())


def says_nothing_expression(text: exp.Expr) -> exp.Expression:
    """Return the predicate that a text of a number, day or instant says "no value"."""
    return exp.In(
        this=call("lower", call("trim", text, string(_SPACES + "\t\r\n"))),
        expressions=[string(token) for token in NULL_TOKENS],
    )


def may_be_large_expression(text: exp.Expression) -> exp.Expression:
    """Return the predicate that holds for every text of a number of a trillion or more, and for few others.

    Such a number has thirteen digits, or an exponent.
    """
    return call("regexp_matches", text, string(_LARGE))


def refusal_code_expression(column: exp.Expression, column_type: ColumnType, source_type: str) -> exp.Expression:
    """Return the reason code of a value that `is_rejected_expression` or the role of its column refused."""
    bad = string(f"bad_{column_type.kind}")
    if column_type.kind != "number":
        return bad
    exact = parse_expression(column, column_type, source_type, is_wide=True)
    rough = try_cast(cast(column.copy(), "VARCHAR"), "DOUBLE")
    is_beyond = exp.GTE(this=call("abs", rough.copy()), expression=exp.Literal.number("1e30"))
    return (
        exp.Case()
        .when(exp.or_(call("isnan", rough), call("isinf", rough.copy())), string(NOT_A_NUMBER))
        .when(exp.or_(is_present(exp.paren(exact)), is_beyond), string(TOO_LARGE))
        .else_(bad)
    )


def is_text(source_type: str) -> bool:
    """Say whether a column of this DuckDB type holds text as received."""
    return source_type.upper().startswith(("VARCHAR", "TEXT", "ENUM"))


def is_integer(source_type: str) -> bool:
    """Say whether a column of this DuckDB type holds whole numbers."""
    return source_type.upper() in _INTEGERS


def is_float(source_type: str) -> bool:
    """Say whether a column of this DuckDB type holds binary floating point."""
    return source_type.upper() in _FLOATS


def is_decimal(source_type: str) -> bool:
    """Say whether a column of this DuckDB type holds exact decimals."""
    return source_type.upper().startswith(("DECIMAL", "NUMERIC"))


def is_moment(source_type: str) -> bool:
    """Say whether a column of this DuckDB type holds days or instants."""
    source = source_type.upper()
    return source == "DATE" or source.startswith("TIMESTAMP")


def has_offset(source_type: str) -> bool:
    """Say whether a column of this DuckDB type holds instants rather than wall clocks."""
    return source_type.upper() in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")


def number_pattern(decimal_mark: str, group_mark: str) -> str:
    """Return the regular expression of a bare number written with these marks.

    Groups are of three digits; with commas also as in India (12,34,567.00). A mark in any other place is no number.
    """
    decimal = re.escape(decimal_mark)
    whole = "[0-9]+"
    if group_mark:
        group = f"[{_group_characters(group_mark)}]"
        whole += f"|[0-9]{{1,3}}(?:{group}[0-9]{{3}})+"
    if group_mark == ",":
        whole += "|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}"
    return rf"\s*[-+]?(?:(?:{whole})(?:{decimal}[0-9]*)?|{decimal}[0-9]+)(?:[eE][-+]?[0-9]{{1,3}})?\s*"


def _group_characters(group_mark: str) -> str:
    if not group_mark:
        return ""
    if group_mark in _SPACES:
        return _SPACES
    if group_mark in _APOSTROPHES:
        return _APOSTROPHES
    return group_mark


def _number(
    column: exp.Expression, column_type: ColumnType, source: str, decimal: str, *, is_decorated: bool
) -> exp.Expression:
    if is_text(source):
        value = (
            _number_of_text(column, column_type, decimal)
            if is_decorated
            else _bare_number(column, column_type, decimal)
        )
        # Inside a case, DuckDB computes shared parts only for the rows that need them.
        return exp.Case().when(exp.NEQ(this=column.copy(), expression=string("")), value)
    if source == "DOUBLE":
        return _number_of_double(column, decimal)
    if is_integer(source) or is_decimal(source):
        return try_cast(column.copy(), decimal)
    return try_cast(cast(column.copy(), "VARCHAR"), decimal)


def _number_of_double(column: exp.Expression, decimal: str) -> exp.Expression:
    """Return the decimal of the shortest text that reads back as the same double.

    The direct cast agrees with it, at a tenth of the cost, where the sixth decimal is clear of a half and the
    double still resolves it well.
    """
    micros = exp.Mul(this=column.copy(), expression=exp.Literal.number("1e6"))
    distance = call("abs", exp.Sub(this=micros, expression=call("round", micros.copy())))
    is_clear = exp.and_(
        exp.LT(this=call("abs", column.copy()), expression=exp.Literal.number("1e9")),
        exp.LT(this=distance, expression=exp.Literal.number("0.3")),
    )
    exact = try_cast(cast(column.copy(), "VARCHAR"), decimal)
    return exp.Case().when(is_clear, try_cast(column.copy(), decimal)).else_(exact)


def _number_of_text(column: exp.Expression, column_type: ColumnType, decimal: str) -> exp.Expression:
    """Return the number as it stands, else without a currency sign at either end, else without all decoration.

    Each later way costs several times the former and only sees the values that the former could not take.
    """
    bare = _bare_number(column, column_type, decimal)
    symbol_off = call("regexp_replace", column.copy(), string(_OUTER_SYMBOL), string(""))
    within = _strict_number(call("regexp_extract", column.copy(), string(_NUMBER_WITHIN)), column_type, decimal)
    undecorated = (
        exp.Case()
        .when(exp.Not(this=call("regexp_full_match", column.copy(), string(DECORATED))), exp.null())
        .when(call("regexp_full_match", column.copy(), string(NEGATIVE)), exp.Neg(this=exp.paren(within)))
        .when(call("regexp_full_match", column.copy(), string(POSITIVE)), within.copy())
    )
    return call("coalesce", bare, _strict_number(symbol_off, column_type, decimal), undecorated)


def _bare_number(text: exp.Expression, column_type: ColumnType, decimal: str) -> exp.Expression:
    mark, group = column_type.decimal_mark, column_type.group_mark
    if mark != "." or group not in ("", ","):
        return _strict_number(text, column_type, decimal)
    # A cast that fails costs ten times one that does not; what starts with a sign, mark or digit rarely fails.
    may_be_bare: exp.Expression = exp.Between(this=text.copy(), low=string("+"), high=string(":"))
    if not group:
        return exp.Case().when(may_be_bare, try_cast(text.copy(), decimal))
    ungrouped = exp.Not(this=call("contains", text.copy(), string(",")))
    strict = _strict_number(text, column_type, decimal)
    return exp.Case().when(exp.and_(may_be_bare, ungrouped), try_cast(text.copy(), decimal)).else_(strict)


def _strict_number(text: exp.Expression, column_type: ColumnType, decimal: str) -> exp.Expression:
    plain: exp.Expression = text.copy()
    for character in _group_characters(column_type.group_mark):
        plain = call("replace", plain, string(character), string(""))
    if column_type.decimal_mark != ".":
        plain = call("replace", plain, string(column_type.decimal_mark), string("."))
    pattern = number_pattern(column_type.decimal_mark, column_type.group_mark)
    matches = call("regexp_full_match", text.copy(), string(pattern))
    return exp.Case().when(matches, try_cast(plain, decimal))


def _text(column: exp.Expression, source: str) -> exp.Expression:
    value: exp.Expression = column.copy()
    if is_float(source):
        whole = try_cast(column.copy(), "HUGEINT")
        is_whole = exp.EQ(this=call("trunc", column.copy()), expression=column.copy())
        text = cast(column.copy(), "VARCHAR")
        value = exp.Case().when(is_whole, call("coalesce", cast(whole, "VARCHAR"), text)).else_(text.copy())
    elif not source.startswith("VARCHAR"):
        value = cast(value, "VARCHAR")
    return call("nullif", call("trim", value), string(""))


def _moment(column: exp.Expression, column_type: ColumnType, source: str) -> exp.Expression:
    is_day = column_type.kind == "date"
    if is_moment(source):
        if source == "DATE" and is_day:
            return column.copy()
        return _as_kind(_utc(column, source), is_day=is_day)
    if column_type.date_format in COUNTED_FORMATS:
        return _as_kind(_counted(column, column_type.date_format, source), is_day=is_day)
    text = column.copy() if is_text(source) else _digits(column, column_type.date_format)
    if column_type.date_format:
        return _as_kind(_strptime(text, column_type.date_format), is_day=is_day)
    return _as_kind(try_cast(text, "DATE"), is_day=True) if is_day else _iso_instant(text)


def _utc(column: exp.Expression, source: str) -> exp.Expression:
    if not has_offset(source):
        return try_cast(column.copy(), "TIMESTAMP")
    return exp.Case().when(call("isfinite", column.copy()), _instant(column.copy()))


def _instant(zoned: exp.Expression) -> exp.Expression:
    """Return the UTC wall clock of an instant, whatever the time zone of the session."""
    return call("make_timestamp", call("epoch_us", zoned))


def _digits(column: exp.Expression, date_format: str) -> exp.Expression:
    """Return the digits of a date that was read as a number, with the leading zeros it lost."""
    length = len(date_format.replace("%Y", "YYYY").replace("%", "").replace(" ", ""))
    length += sum(date_format.count(code) for code in ("%d", "%m", "%y", "%H", "%M", "%S"))
    return call("lpad", cast(try_cast(column.copy(), "BIGINT"), "VARCHAR"), integer(length), string("0"))


def _strptime(text: exp.Expression, date_format: str) -> exp.Expression:
    patterns = [string(pattern.strip()) for pattern in date_format.split(FORMAT_SEPARATOR)]
    wanted = patterns[0] if len(patterns) == 1 else exp.Array(expressions=patterns)
    parsed = call("try_strptime", text.copy(), wanted)
    return _instant(parsed) if "%z" in date_format or "%Z" in date_format else parsed


def _iso_instant(text: exp.Expression) -> exp.Expression:
    """Return the instant of an ISO 8601 text; without an offset it is UTC (DuckDB's own cast drops the offset)."""
    is_plain = exp.Like(this=text.copy(), expression=string(_ISO_SECONDS))
    is_naive = call("regexp_full_match", text.copy(), string(_ISO_WITHOUT_OFFSET))
    fifth = call("array_extract", text.copy(), integer(5))
    is_zoned = exp.In(this=fifth, expressions=[string("-"), string("/")])
    joined: exp.Expression = text.copy()
    for sign in "+-":
        joined = call("replace", joined, string(f" {sign}"), string(sign))
    return (
        exp.Case()
        .when(is_plain, try_cast(text.copy(), "TIMESTAMP"))
        .when(is_naive, try_cast(call("trim", text.copy()), "TIMESTAMP"))
        .when(is_zoned, _instant(try_cast(joined, "TIMESTAMP WITH TIME ZONE")))
    )


def _counted(column: exp.Expression, date_format: str, source: str) -> exp.Expression:
    count = _number(column, ColumnType("number"), source, "DECIMAL(38, 6)", is_decorated=False)
    if date_format == EXCEL_SERIAL:
        # Day 25,569 of Excel's count is 1970-01-01; the count of microdays times 86,400 is microseconds.
        days = exp.Sub(this=exp.paren(count), expression=exp.Literal.number(25569))
        micros = exp.Mul(
            this=cast(exp.Mul(this=exp.paren(days), expression=exp.Literal.number(1_000_000)), "BIGINT"),
            expression=exp.Literal.number(86_400),
        )
        limit = 2_958_465
    else:
        unit = 1_000_000 if date_format == UNIX_SECONDS else 1_000
        limit = 253_402_300_799 * (1_000_000 // unit)
        micros = exp.Mul(this=cast(call("floor", count), "BIGINT"), expression=exp.Literal.number(unit))
    in_range = exp.Between(this=exp.paren(count.copy()), low=exp.Literal.number(0), high=exp.Literal.number(limit))
    return exp.Case().when(in_range, call("make_timestamp", micros))


def _as_kind(value: exp.Expression, *, is_day: bool) -> exp.Expression:
    """Return the value as a day or an instant, null outside the years 1000 to 9999, as 24 read by %Y is."""
    kind = "DATE" if is_day else "TIMESTAMP"
    known = exp.Between(this=cast(value, kind), low=cast(string(_FIRST_DAY), kind), high=cast(string(_LAST_DAY), kind))
    return exp.Case().when(known, cast(value.copy(), kind))
