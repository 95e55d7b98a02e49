"""From a side's own columns to canonical entries: projections as expression trees, quoted by sqlglot, never as text.

Columns of a user's file are known only at run time, so these few relations cannot be SQL files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from tieout.core.money import MICRO_DIGITS
from tieout.engine.parse import (
    is_decimal,
    is_float,
    is_integer,
    is_rejected_expression,
    may_be_large_expression,
    parse_expression,
    says_nothing_expression,
)
from tieout.engine.plan import ColumnType, Compared, Direction, Plan, ReferenceForm, SidePlan
from tieout.store.trees import call, cast, column, is_present, named, try_cast

REJECTED = "__rejected"
MAY_BE_LARGE = 32_768
SHORT_DIGITS = 18
NARROW_DIGITS = 12
LARGEST_NARROW = 10**NARROW_DIGITS - 1
"""The largest whole number that certainly fits DECIMAL(18, 6), the type of a number unless it is read wide."""
MAX_NARROW_TERMS = 9
"""So many numbers of that type sum to an amount within 64 bits of micros, whatever they are."""
REF_SEPARATOR = "\x1f"
UNIT_COUNT = 6
_TEXT_SOURCES = ("VARCHAR", "TEXT")
_SMALL_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER")


def is_text_source(source_type: str) -> bool:
    """Say whether a source column is text, still to be parsed."""
    return source_type.upper().startswith(_TEXT_SOURCES)


def typed_columns(side: SidePlan, compared: Sequence[str]) -> frozenset[str]:
    """Return the columns that the run needs as values; all others stay as received.

    A reference, a group key and free text stay text, so that 007 keeps its zeros; a rate keeps its nine decimals.
    """
    as_text = {*side.key, *side.group, *side.text, *side.units, side.fx_rate}
    return read_columns(side, compared) - as_text


def read_columns(side: SidePlan, compared: Sequence[str]) -> frozenset[str]:
    """Return the columns whose values the run reads: those that are typed and those of the reference among them."""
    wanted = {signed.column for signed in side.amount} | set(compared)
    wanted |= {name for name in (side.date, side.quantity, side.fee) if name}
    return frozenset(name for name in wanted if name in side.columns and side.columns[name].kind != "text")


@dataclass(frozen=True)
class Reading:
    """How the columns of a side are read.

    With `is_quick` plain numbers and ISO dates are cast without the fallbacks for what people write around them; it
    refuses more and never reads a value otherwise, so where it refuses nothing the result is the same, much sooner.
    With `is_strict` a value that such a cast refuses stops the reading, and there is no `__rejected`: to write it costs
    a quarter of the reading.
    `wide` names the columns with a value that the usual reading cannot take: numbers get 38 digits instead of 18 (at
    several times the cost), and a value that is none even so is refused. Those of `as_typed` are taken as the file has
    them (`shared_decimals`).
    """

    is_quick: bool
    is_strict: bool = False
    wide: frozenset[str] = frozenset()
    as_typed: frozenset[str] = frozenset()


def rows_projection(
    source: exp.Expr,
    source_types: dict[str, str],
    side: SidePlan,
    compared: Sequence[str],
    extra: Sequence[str],
    reading: Reading,
) -> exp.Select:
    """Return the query of a side's typed rows: every column of the file, then `__rejected`.

    `__rejected` is 0, or the position from 1 (in file order) of the first column whose text is no value of its type,
    plus MAY_BE_LARGE where that is a number which may be one when it is read at its full width.
    `extra` names columns of the source (row number, line) handed through first.
    """
    typed, read = typed_columns(side, compared), read_columns(side, compared)
    selected: list[exp.Expr] = [column(name) for name in extra]
    refused = exp.Case()
    for position, (name, kind) in enumerate(side.columns.items(), start=1):
        if name not in read or name in reading.as_typed - reading.wide:
            selected.append(column(name))
            continue
        source_type, is_wide = source_types[name], name in reading.wide or name not in typed
        is_text = is_text_source(source_type)
        quick = _quick_cast(name, kind) if reading.is_quick and is_text and not is_wide else None
        if reading.is_strict and quick is not None:
            selected.append(exp.alias_(exp.Cast(this=quick.this, to=quick.args["to"]), name, quoted=True))
            continue
        value = quick or parse_expression(column(name), kind, source_type, is_wide=is_wide)
        if is_text or name in reading.wide:
            is_refused = (
                is_rejected_expression(column(name), kind, source_type, is_wide=is_wide)
                if quick is None
                else _is_refused(name, quick)
            )
            at: exp.Expr = exp.Literal.number(position)
            if kind.kind == "number" and not is_wide and not reading.is_quick:
                flagged = exp.Literal.number(position + MAY_BE_LARGE)
                at = exp.Case().when(may_be_large_expression(column(name)), flagged).else_(at)
            refused = refused.when(is_refused, at)
        selected.append(exp.alias_(value if name in typed else column(name), name, quoted=True))
    if reading.is_strict:
        return exp.select(*selected).from_(source)
    rejected: exp.Expr = refused.else_(exp.Literal.number(0)) if refused.args.get("ifs") else exp.Literal.number(0)
    selected.append(exp.alias_(cast(rejected, "USMALLINT"), REJECTED, quoted=True))
    query = exp.select(*selected).from_(source)
    roles = _overflowing_roles(side, source_types, typed, reading.wide)
    if not roles:
        return query
    known = exp.Case().when(exp.GT(this=column(REJECTED), expression=exp.Literal.number(0)), column(REJECTED))
    for name, predicate in roles:
        known = known.when(predicate, exp.Literal.number(list(side.columns).index(name) + 1))
    checked = cast(known.else_(exp.Literal.number(0)), "USMALLINT")
    kept = [column(name) for name in (*extra, *side.columns)]
    return exp.select(*kept, exp.alias_(checked, REJECTED, quoted=True)).from_(query.subquery("r"))


def has_refusals(side: SidePlan, source_types: dict[str, str], compared: Sequence[str], wide: frozenset[str]) -> bool:
    """Say whether `rows_projection` can refuse a row."""
    read = read_columns(side, compared)
    is_parsed = any(is_text_source(source_types[name]) or name in wide for name in read)
    return is_parsed or bool(_overflowing_roles(side, source_types, typed_columns(side, compared), wide))


def is_plainly_read(
    side: SidePlan, source_types: dict[str, str], compared: Sequence[str], wide: frozenset[str]
) -> bool:
    """Say whether plain casts are all that the rows need: none of their values can fail at its role afterwards."""
    typed = typed_columns(side, compared)
    texts = [name for name in read_columns(side, compared) if is_text_source(source_types[name])]
    is_plain = all(
        side.columns[name].kind == "text" or (name in typed and _quick_cast(name, side.columns[name]) is not None)
        for name in texts
    )
    return is_plain and not wide and not _overflowing_roles(side, source_types, typed, wide)


def _overflowing_roles(
    side: SidePlan, types: dict[str, str], typed: frozenset[str], wide: frozenset[str]
) -> list[tuple[str, exp.Expr]]:
    """Return what a value that can be read may still fail at, its role: a column, and the predicate that it did."""

    def is_absent(value: exp.Expr) -> exp.Expr:
        return exp.Is(this=exp.paren(value), expression=exp.null())

    def number(name: str) -> exp.Expr:
        return _number(name, side, types, is_typed=name in typed)

    may_exceed = wide | {name for name in side.columns if name not in typed}
    roles: list[tuple[str, exp.Expr]] = [
        (name, exp.and_(is_present(number(name)), is_absent(_micros(name, side, types, typed, exponent))))
        for name, exponent in ((side.quantity, 0), (side.fee, side.amount_exponent))
        if name is not None and (name in may_exceed or exponent > 0)
    ]
    terms = [signed.column for signed in side.amount]
    is_exposed = side.converts or side.amount_exponent > 0 or len(terms) > MAX_NARROW_TERMS
    if not terms or (not is_exposed and may_exceed.isdisjoint(terms)):
        return roles
    given = [is_present(number(name)) for name in terms]
    is_lost = exp.and_(exp.or_(*given), is_absent(_amount_micros(side, types, typed)))
    if side.converts and side.fx_rate:
        rate = _text(side.fx_rate, types[side.fx_rate])
        is_rated = exp.not_(exp.func("coalesce", says_nothing_expression(rate), exp.true()))
        is_lost = exp.and_(is_lost, is_rated)
        roles.append((side.fx_rate, exp.and_(is_rated.copy(), is_absent(_rate_nanos(side.fx_rate, types)))))
    roles += [
        (name, exp.and_(is_there.copy(), is_absent(_micros_of(number(name), side.amount_exponent))))
        for name, is_there in zip(terms, given, strict=True)
    ]
    return [*roles, (terms[0], is_lost)]


def _quick_cast(name: str, kind: ColumnType) -> exp.Expr | None:
    """Return the bare cast of a column that is written plainly, or None where it is not."""
    if kind.kind == "number" and kind.decimal_mark == "." and not kind.group_mark:
        return try_cast(column(name), "DECIMAL(18, 6)")
    if kind.kind == "date" and kind.date_format in ("", "%Y-%m-%d"):
        return try_cast(column(name), "DATE")
    return None


def _is_refused(name: str, quick: exp.Expr) -> exp.Expr:
    is_given = exp.NEQ(this=column(name), expression=exp.Literal.string(""))
    return exp.and_(is_given, exp.Is(this=quick.copy(), expression=exp.null()))


def fit_questions(
    source: exp.Expr, source_types: dict[str, str], side: SidePlan, compared: Sequence[str]
) -> list[tuple[list[str], exp.Select]]:
    """Return the queries that find which columns typed in the file hold a value beyond the usual reading.

    Each goes with the columns it asks about and yields one row with a truth value for each, null for a column without
    values. Columns whose type rules that out are not asked about. The statistics in the file answer for whole numbers
    and decimals at once. For floating point they leave out NaN, and DuckDB believes them, so those values are read.
    """
    bounded: dict[str, exp.Expr] = {}
    counted: dict[str, exp.Expr] = {}
    for name in sorted(read_columns(side, compared)):
        kind, source_type = side.columns[name], source_types[name]
        if is_text_source(source_type) or _always_fits(kind, source_type):
            continue
        if kind.kind == "number" and (is_integer(source_type) or is_decimal(source_type)):
            bounded[name] = exp.or_(
                exp.LT(this=exp.func("min", column(name)), expression=exp.Literal.number(-LARGEST_NARROW)),
                exp.GT(this=exp.func("max", column(name)), expression=exp.Literal.number(LARGEST_NARROW)),
            )
        else:
            is_float_number = kind.kind == "number" and is_float(source_type)
            value = (
                try_cast(column(name), "DECIMAL(18, 6)")
                if is_float_number
                else parse_expression(column(name), kind, source_type)
            )
            counted[name] = exp.NEQ(this=exp.func("count", column(name)), expression=exp.func("count", value))
    return [(list(asked), exp.select(*asked.values()).from_(source.copy())) for asked in (bounded, counted) if asked]


def _always_fits(kind: ColumnType, source_type: str) -> bool:
    """Say whether every value of a typed column can be read without a loss, from its type alone."""
    source = source_type.upper()
    if kind.kind != "number":
        return source == "DATE" and kind.kind == "date"
    if is_decimal(source):
        precision, scale = _digits_of(source)
        whole_digits = precision - scale
        return whole_digits < NARROW_DIGITS or (whole_digits == NARROW_DIGITS and scale <= MICRO_DIGITS)
    return source in _SMALL_INTEGERS


def _digits_of(decimal_type: str) -> tuple[int, int]:
    """Return the digits of a DECIMAL(18,2), and how many of them stand after the point."""
    precision, _, scale = decimal_type.partition("(")[2].rstrip(")").partition(",")
    return int(precision), int(scale)


def as_received(name: str, source_type: str) -> exp.Expr:
    """Return a column as the text that it has as a value of text, whatever its type in the file."""
    return _spelling(name, SidePlan({}), {name: source_type})


def _text(name: str, source_type: str) -> exp.Expr:
    return parse_expression(column(name), ColumnType("text"), source_type)


def _spelling(name: str, side: SidePlan, types: dict[str, str], *, is_day: bool = False) -> exp.Expr:
    """Return the text of a column as received, in the one spelling that its kind has whatever the file.

    A number is bare and without zeros at the end, a date or a timestamp ISO 8601, at midnight or with `is_day` the day
    alone. A text that is no such value stays as it is, and so does a number such as 007, for its zeros tell it apart.
    """
    kind, source = side.columns.get(name, ColumnType("text")), types[name]
    text = _text(name, source)
    if kind.kind == "text" or (kind.kind == "number" and not is_text_source(source)):
        has_places = kind.kind == "number" and is_decimal(source) and not source.endswith(",0)")
        return call("plain_number", column(name)) if has_places else text
    value = parse_expression(column(name), kind, source, is_wide=True)
    if kind.kind == "number":
        has_zeros = exp.Anonymous(this="regexp_matches", expressions=[text, exp.Literal.string("^0[0-9]")])
        spelt: exp.Expr = exp.Case().when(exp.not_(has_zeros), call("plain_number", value))
    else:
        wanted = "DATE" if is_day else "VARCHAR"
        spelt = cast(cast(value, wanted), "VARCHAR")
        if kind.kind == "timestamp" and not is_day:
            spelt = exp.Anonymous(this="replace", expressions=[spelt, *map(exp.Literal.string, (" 00:00:00", ""))])
    spelt = exp.func("coalesce", spelt, text.copy())
    if not is_text_source(source):
        return spelt
    return exp.Case().when(exp.not_(says_nothing_expression(text.copy())), spelt)


def _joined_text(names: Sequence[str], side: SidePlan, types: dict[str, str]) -> exp.Expr:
    """Return the spelling of several columns as one text with blanks between; null where all of them are."""
    parts = [_spelling(name, side, types) for name in names]
    if len(parts) < 2:
        return joined(parts, " ")
    present = exp.Anonymous(this="concat_ws", expressions=[exp.Literal.string(" "), *parts])
    return exp.func("nullif", present, exp.Literal.string(""))


def joined(parts: Sequence[exp.Expr], separator: str) -> exp.Expr:
    """Return texts as one; null where any of them is, or there is none."""
    if not parts:
        return cast(exp.null(), "VARCHAR")
    tree: exp.Expr = parts[0]
    for part in parts[1:]:
        tree = exp.DPipe(this=exp.DPipe(this=tree, expression=exp.Literal.string(separator)), expression=part)
    return tree


def _is_integer(source_type: str) -> bool:
    return source_type.upper() in ("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "HUGEINT", "UBIGINT", "UINTEGER")


def _micros_of(value: exp.Expr, exponent: int = 0) -> exp.Expr:
    """Return a decimal times 10^exponent in micros as BIGINT, or null where that does not fit 64 bits."""
    if exponent == 0:
        return exp.Anonymous(this="to_micros", expressions=[value])
    macro = "scale_up" if exponent > 0 else "scale_down"
    return exp.Anonymous(this=macro, expressions=[value, exp.Literal.number(10 ** abs(exponent))])


def _number(name: str, side: SidePlan, types: dict[str, str], *, is_typed: bool) -> exp.Expr:
    if is_typed:
        return column(name)
    return parse_expression(column(name), side.columns.get(name, ColumnType("number")), types[name], is_wide=True)


def _micros(
    name: str | None, side: SidePlan, types: dict[str, str], typed: frozenset[str], exponent: int = 0
) -> exp.Expr:
    if name is None:
        return cast(exp.null(), "BIGINT")
    return _micros_of(_number(name, side, types, is_typed=name in typed), exponent)


def _rate_nanos(name: str | None, types: dict[str, str]) -> exp.Expr:
    if name is None:
        return cast(exp.null(), "BIGINT")
    wide = try_cast(_text(name, types[name]), "DECIMAL(28, 9)")
    nanos = exp.Mul(this=wide, expression=exp.Literal.number(10**9))
    return try_cast(exp.paren(nanos), "BIGINT")


def _amount_micros(side: SidePlan, types: dict[str, str], typed: frozenset[str]) -> exp.Expr:
    if not side.amount:
        return cast(exp.null(), "BIGINT")
    terms: list[exp.Expr] = []
    for signed in side.amount:
        scaled = _micros_of(_number(signed.column, side, types, is_typed=signed.column in typed), side.amount_exponent)
        terms.append(exp.Neg(this=exp.paren(scaled)) if signed.sign < 0 else scaled)
    micros = terms[0] if len(terms) == 1 else _sum_of_present(terms)
    if side.direction is not None:
        told = _text(side.direction.column, types[side.direction.column])
        micros = outgoing_value(micros, told, side.direction)
    if not side.converts:
        return micros
    product = exp.Mul(this=cast(exp.paren(micros), "HUGEINT"), expression=_rate_nanos(side.fx_rate, types))
    return exp.Anonymous(this="fx_product", expressions=[product])


def outgoing_value(value: exp.Expr, told: exp.Expr, direction: Direction) -> exp.Expr:
    """Return an amount turned round where `told`, the text of the direction's column, says that it went out."""
    word = exp.func("upper", exp.func("trim", told))
    is_outgoing = exp.In(this=word, expressions=[exp.Literal.string(one) for one in direction.outgoing])
    return exp.Case().when(is_outgoing, exp.Neg(this=exp.paren(value.copy()))).else_(value)


def _sum_of_present(terms: Sequence[exp.Expr]) -> exp.Expr:
    some = exp.or_(*[is_present(term.copy()) for term in terms])
    total: exp.Expr = cast(exp.func("coalesce", terms[0], exp.Literal.number(0)), "HUGEINT")
    for term in terms[1:]:
        total = exp.Add(this=total, expression=exp.func("coalesce", term, exp.Literal.number(0)))
    return exp.Case().when(some, exp.Anonymous(this="within_64_bits", expressions=[total]))


def entry_projection(
    rows: str,
    source_types: dict[str, str],
    side: SidePlan,
    compared: Sequence[tuple[str, Compared]],
    *,
    zone: str,
    has_rejects: bool,
    row_no: exp.Expr,
    shape: EntryShape,
    is_ref_bare: bool,
) -> exp.Select:
    """Return the query that projects a side's rows onto the canonical entry.

    `compared` pairs this side's column with what it is compared as; their values travel as one struct with the
    fields c1, c2, … (and amount and currency where they can differ), so that every later step is the same SQL
    whatever the file, and a pair agrees exactly when the structs do. With `is_ref_bare` the reference is taken as
    it stands: `blank_reference` found none, and `reference_is_dressed` sees to blanks at the end.
    """
    names = [name for name, _ in compared]
    typed = typed_columns(side, names)
    fields = [
        exp.PropertyEQ(
            this=exp.to_identifier(f"c{i}"), expression=_compared_value(name, item, side, source_types, typed)
        )
        for i, (name, item) in enumerate(compared, start=1)
    ]
    if shape.has_amount:
        amount = _amount_micros(side, source_types, typed)
        if shape.is_amount_plain:
            amount = _number(side.amount[0].column, side, source_types, is_typed=side.amount[0].column in typed)
        fields.append(exp.PropertyEQ(this=exp.to_identifier("amount"), expression=amount))
    if shape.has_currency:
        fields.append(exp.PropertyEQ(this=exp.to_identifier("currency"), expression=_currency(side, source_types)))
    struct: exp.Expr = exp.Struct(expressions=fields) if fields else exp.true()
    day, occurred = _day_and_instant(side, source_types, typed, zone)
    ref = (
        column(side.key[0])
        if shape.is_ref_integer or (is_ref_bare and shape.reference_form == "written")
        else _reference(side.key, side, source_types, shape.key_days, shape.reference_form)
    )
    # An email in capitals is the same email.
    units: list[exp.Expr] = [
        call("lower", call("trim", _spelling(name, side, source_types))) for name in side.units[:UNIT_COUNT]
    ]
    units += [cast(exp.null(), "VARCHAR") for _ in range(UNIT_COUNT - len(units))]
    selected = {
        "entry_no": row_no.copy(),
        "ref": ref,
        "group_ref": _reference(side.group, side, source_types, shape.group_days, shape.reference_form),
        "day": day,
        "occurred_us": occurred,
        "currency": _currency(side, source_types),
        "amount_micros": _amount_micros(side, source_types, typed),
        "quantity_micros": _micros(side.quantity, side, source_types, typed),
        "fee_micros": _micros(side.fee, side, source_types, typed, side.amount_exponent),
        "fx_rate_nanos": _rate_nanos(side.fx_rate, source_types),
        "text": _joined_text(side.text, side, source_types),
        **{f"unit_{i}": unit for i, unit in enumerate(units, start=1)},
        "compared": struct,
        "source": _source(side),
    }
    # Nothing in these trees stands in two places, so none of it need be copied, which took as long as all the rest.
    query = exp.Select().select(*(named(value, name) for name, value in selected.items()), copy=False)
    query.from_(exp.to_table(rows), copy=False)
    if has_rejects:
        query.where(exp.EQ(this=column(REJECTED), expression=exp.Literal.number(0)), copy=False)
    return query


def _reference(
    names: Sequence[str], side: SidePlan, types: dict[str, str], days: frozenset[int], form: ReferenceForm
) -> exp.Expr:
    """Return columns that tell rows apart, or group them, as one text; those at the positions `days` by day."""
    parts = [_spelling(name, side, types, is_day=place in days) for place, name in enumerate(names)]
    return joined([reference_in(part, form) for part in parts], REF_SEPARATOR)


def reference_in(spelt: exp.Expr, form: ReferenceForm) -> exp.Expr:
    """Return what is left of a reference in a form, null where that is nothing."""
    if form == "written":
        return spelt
    macro = "plain_reference" if form == "plain" else "reference_digits"
    return call("nullif", call(macro, cast(spelt, "VARCHAR")), exp.Literal.string(""))


def _source(side: SidePlan) -> exp.Expr:
    """Return the file's own columns as one struct, for the rows that a person will look at."""
    fields = [
        exp.PropertyEQ(this=exp.to_identifier(f"f{i}"), expression=column(name))
        for i, name in enumerate(side.columns, start=1)
    ]
    return exp.Struct(expressions=fields)


def blank_reference(rows: str, side: SidePlan, types: dict[str, str]) -> exp.Select | None:
    """Return the query for a reference that is not spelt as it must be; None where it is not one column of text.

    That is one that is empty or begins with a blank. All of these sort before "!", so the bounds that files and tables
    keep answer it without reading the references. Where references are numbers, those that are not bare count too.
    """
    if len(side.key) != 1 or not is_text_source(types[side.key[0]]):
        return None
    kind = side.columns[side.key[0]].kind
    if kind in ("date", "timestamp"):
        return None
    is_blank: exp.Expr = exp.LT(this=column(side.key[0]), expression=exp.Literal.string("!"))
    if kind == "number":
        bare = cast(try_cast(column(side.key[0]), "BIGINT"), "VARCHAR")
        is_decorated = exp.NullSafeNEQ(this=bare, expression=column(side.key[0]))
        is_blank = exp.or_(is_blank, exp.and_(is_present(column(side.key[0])), is_decorated))
    return exp.select(exp.Literal.number(1)).from_(exp.to_table(rows)).where(is_blank).limit(1)


def _currency(side: SidePlan, types: dict[str, str]) -> exp.Expr:
    constant = exp.Literal.string(side.currency_constant)
    if side.currency is None:
        return constant
    return exp.func("coalesce", exp.func("upper", _text(side.currency, types[side.currency])), constant)


def _day_and_instant(
    side: SidePlan, types: dict[str, str], typed: frozenset[str], zone: str
) -> tuple[exp.Expr, exp.Expr]:
    no_day: exp.Expr = cast(exp.null(), "DATE")
    no_instant: exp.Expr = cast(exp.null(), "BIGINT")
    if side.date is None:
        return no_day, no_instant
    kind = side.columns[side.date]
    value = column(side.date) if side.date in typed else parse_expression(column(side.date), kind, types[side.date])
    if kind.kind == "date":
        return value, no_instant
    instant = exp.Anonymous(this="epoch_us", expressions=[value.copy()])
    if zone == "UTC":
        return cast(value, "DATE"), instant
    local = exp.Anonymous(
        this="timezone",
        expressions=[
            exp.Literal.string(zone),
            exp.Anonymous(this="timezone", expressions=[exp.Literal.string("UTC"), value]),
        ],
    )
    return cast(local, "DATE"), instant


def _compared_value(
    name: str, item: Compared, side: SidePlan, types: dict[str, str], typed: frozenset[str]
) -> exp.Expr:
    kind = side.columns[name]
    if item.kind == "text":
        return cast(column(name), "VARCHAR") if name in typed else _spelling(name, side, types)
    value = column(name) if name in typed else parse_expression(column(name), kind, types[name])
    if item.kind == "number":
        return value
    target = "DATE" if item.kind == "date" else "TIMESTAMP"
    return cast(value, target) if kind.kind != item.kind else value


def compared_pairs(plan: Plan) -> tuple[Compared, ...]:
    """Return the compared columns apart from the amount, which is compared as money in its own right."""
    ours = {signed.column for signed in plan.ours.amount} if len(plan.ours.amount) == 1 else set()
    theirs = {signed.column for signed in plan.theirs.amount} if len(plan.theirs.amount) == 1 else set()
    return tuple(item for item in plan.compared if item.ours not in ours or item.theirs not in theirs)


@dataclass(frozen=True)
class EntryShape:
    """What both sides have in common, so that the entries of one can be compared with those of the other cheaply.

    With `is_ref_integer` the reference is joined as the integer that it is; with `is_amount_plain` amounts are compared
    as read, for they scale alike; without `has_currency` all rows of both sides are in one currency. `key_days` and
    `group_days` are the positions at which one side has days and the other instants, which meet by day. References meet
    in `reference_form`.
    """

    is_ref_integer: bool
    has_amount: bool
    is_amount_plain: bool
    has_currency: bool
    key_days: frozenset[int] = frozenset()
    group_days: frozenset[int] = frozenset()
    reference_form: ReferenceForm = "written"


def entry_shape(plan: Plan, ours_types: dict[str, str], theirs_types: dict[str, str]) -> EntryShape:
    """Return the shape that the entries of this plan share."""
    ours, theirs = plan.ours, plan.theirs
    return EntryShape(
        is_ref_integer=plan.rules.reference_form == "written"
        and _is_integer_key(ours, ours_types)
        and _is_integer_key(theirs, theirs_types),
        has_amount=bool(ours.amount or theirs.amount),
        is_amount_plain=_is_plain(ours) and _is_plain(theirs) and ours.amount_exponent == theirs.amount_exponent,
        has_currency=bool(ours.currency or theirs.currency or ours.currency_constant != theirs.currency_constant),
        key_days=_days_beside_instants(plan, ours.key, theirs.key),
        group_days=_days_beside_instants(plan, ours.group, theirs.group),
        reference_form=plan.rules.reference_form,
    )


def shared_decimals(
    plan: Plan, ours_types: dict[str, str], theirs_types: dict[str, str]
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the columns of each side that are decimals of one type and are compared: no cast makes them more alike."""
    pairs = [(item.ours, item.theirs) for item in plan.compared if item.kind == "number"]
    kept = [(mine, other) for mine, other in pairs if ours_types[mine] == theirs_types[other]]
    kept = [(mine, other) for mine, other in kept if _is_short_decimal(ours_types[mine])]
    return frozenset(mine for mine, _ in kept), frozenset(other for _, other in kept)


def _is_short_decimal(source_type: str) -> bool:
    """Say whether a type holds decimals of at most 64 bits, with at least one digit after the point."""
    if not is_decimal(source_type):
        return False
    precision, scale = _digits_of(source_type)
    return precision <= SHORT_DIGITS and 1 <= scale <= MICRO_DIGITS


def agrees_by_day(plan: Plan) -> bool:
    """Say whether a pair whose compared values agree is of one day on both sides."""
    ours, theirs = plan.ours, plan.theirs
    if ours.date is None or theirs.date is None:
        return ours.date is theirs.date
    is_compared = any((item.ours, item.theirs) == (ours.date, theirs.date) for item in compared_pairs(plan))
    return is_compared and ours.columns[ours.date].kind == theirs.columns[theirs.date].kind


def _is_integer_key(side: SidePlan, types: dict[str, str]) -> bool:
    """Say whether the reference is one column of whole numbers that are no dates."""
    return (
        len(side.key) == 1 and _is_integer(types[side.key[0]]) and side.columns[side.key[0]].kind in ("text", "number")
    )


def _days_beside_instants(plan: Plan, ours: Sequence[str], theirs: Sequence[str]) -> frozenset[int]:
    pairs = enumerate(zip(ours, theirs, strict=False))
    kinds = {i: {plan.ours.columns[mine].kind, plan.theirs.columns[other].kind} for i, (mine, other) in pairs}
    return frozenset(position for position, both in kinds.items() if both == {"date", "timestamp"})


def _is_plain(side: SidePlan) -> bool:
    return len(side.amount) == 1 and side.amount[0].sign > 0 and not side.converts and side.direction is None
