"""A plan as TOML: what a person reads, edits and gives again, and what a run records of its configuration."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

import tomli_w

from tieout.core.errors import TieoutError
from tieout.core.money import MAX_MICROS, AmountOutOfRange, NotAnAmount, format_micros, from_micros, to_micros
from tieout.engine.plan import (
    ColumnType,
    Compared,
    Decision,
    Direction,
    LearnedWeights,
    Level,
    Plan,
    Rules,
    Settlement,
    SidePlan,
    SignedColumn,
    Weights,
)
from tieout.engine.plan_check import Fault, find_faults, must_be

VERSION = 1

Built = TypeVar(
    "Built",
    Direction,
    Rules,
    Weights,
    SidePlan,
    ColumnType,
    SignedColumn,
    Compared,
    Decision,
    LearnedWeights,
    Level,
    Settlement,
)

_HEADER = """\
# A plan of Tieout: how the columns of both sides are read, and what counts as a match and as a difference.
# Edit it and give it again with --plan. Roles name columns of the file; tolerance is money, tolerance_ppm parts per
# million of our amount (10000 is 1%); a gap beyond the larger of both is a difference. `decisions` tells how each
# choice was made; it is for reading and may be removed. `learned` holds what an earlier run learned of how rows that
# belong together differ: at a level of an evidence stand so large a share of matched pairs and of any pairs,
# and their weight is the logarithm of the ratio, of a text no less than that of a commoner word. Without it a run
# learns anew from its own rows, and so does one with decisions of reviewers other than those whose digest is in
# `labels`.
# `text_form` says how texts are compared: as written, or folded (without case, accents and further blanks).
# `reference_form` is written, plain (keys meet without case, accents, signs and zeros in front) or digits.
"""


class BadPlan(TieoutError):
    """A plan file has a key or a value that cannot be used; `subject` is its place."""

    code = "bad_plan"


def plan_to_toml(plan: Plan) -> str:
    """Return the plan as TOML; `plan_from_toml` gives the same plan back."""
    rules = asdict(plan.rules)
    rules["tolerance"] = f"{from_micros(rules.pop('tolerance_micros')):f}"
    document = {
        "version": VERSION,
        "rules": rules,
        "ours": _side_to_dict(plan.ours),
        "theirs": _side_to_dict(plan.theirs),
        "compared": [_compared_to_dict(item) for item in plan.compared],
        "decisions": [asdict(item) for item in plan.decisions],
    }
    if plan.settlement is not None:
        document["settlement"] = _settlement_to_dict(plan.settlement)
    if plan.learned is not None:
        document["learned"] = {name: value for name, value in asdict(plan.learned).items() if value != ""}
    return _HEADER + tomli_w.dumps(document)


def _compared_to_dict(item: Compared) -> dict[str, Any]:
    document = asdict(item)
    if item.kind != "text":
        del document["text_form"]
    return document


def _settlement_to_dict(settlement: Settlement) -> dict[str, Any]:
    document = {field.name: getattr(settlement, field.name) for field in fields(Settlement) if field.name != "advice"}
    return document | ({"advice": _side_to_dict(settlement.advice)} if settlement.advice else {})


def _side_to_dict(side: SidePlan) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for field in fields(SidePlan):
        value = getattr(side, field.name)
        if value is not None and field.name not in ("columns", "amount", "direction"):
            document[field.name] = list(value) if isinstance(value, tuple) else value
    if side.direction is not None:
        document["direction"] = {"column": side.direction.column, "outgoing": list(side.direction.outgoing)}
    document["amount"] = [asdict(term) for term in side.amount]
    document["columns"] = [{"name": name, **asdict(kind)} for name, kind in side.columns.items()]
    return document


def plan_from_toml(text: str) -> Plan:
    """Read a plan that can be run. Raises BadPlan, naming the place, for the first thing in it that cannot be used."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also for whole numbers and arrays beyond what Python can read
        raise BadPlan(f"The plan is not TOML: {error}.", subject="plan", remedy="Mend the line it names.") from None
    version = document.pop("version", None)
    if version != VERSION or not _is_whole(version):
        raise BadPlan(f"The plan has version {version}, not {VERSION}.", subject="version", remedy="Infer a new plan.")
    known = {"rules", "ours", "theirs", "compared", "decisions", "settlement", "learned"}
    _refuse_unknown(document, known, "plan")
    plan = Plan(
        ours=_side(document.get("ours"), "ours"),
        theirs=_side(document.get("theirs"), "theirs"),
        compared=tuple(_build(Compared, item, f"compared[{i}]") for i, item in _items(document, "compared")),
        rules=_rules(document.get("rules", {})),
        decisions=tuple(_build(Decision, item, f"decisions[{i}]") for i, item in _items(document, "decisions")),
        settlement=_settlement(document["settlement"]) if "settlement" in document else None,
        learned=_learned(document["learned"]) if "learned" in document else None,
    )
    fault = next(find_faults(plan), None)
    if fault is not None:
        raise _bad(fault)
    return plan


def _items(document: Mapping[str, Any], key: str, place: str = "") -> list[tuple[int, Any]]:
    value = document.get(key, [])
    if not isinstance(value, list):
        raise _wrong(f"{place}.{key}" if place else key, "an array of tables", value)
    return list(enumerate(value))


def _rules(document: Any) -> Rules:
    given = dict(_table(document, "rules"))
    tolerance = given.pop("tolerance", "0")
    try:
        given["tolerance_micros"] = to_micros(str(tolerance))
    except NotAnAmount:
        raise _wrong("rules.tolerance", 'an amount in quotes, such as "0.01"', tolerance) from None
    except AmountOutOfRange:
        raise _wrong("rules.tolerance", f"at most {format_micros(MAX_MICROS)}", tolerance) from None
    if given["tolerance_micros"] < 0:
        raise _wrong("rules.tolerance", "zero or more", tolerance)
    if "weights" in given:
        given["weights"] = _build(Weights, given["weights"], "rules.weights")
    return _build(Rules, given, "rules")


def _settlement(document: Any) -> Settlement:
    given = dict(_table(document, "settlement"))
    if "advice" in given:
        given["advice"] = _side(given["advice"], "settlement.advice")
    return _build(Settlement, given, "settlement")


def _learned(document: Any) -> LearnedWeights:
    given = dict(_table(document, "learned"))
    levels = tuple(_build(Level, item, f"learned.levels[{i}]") for i, item in _items(given, "levels", "learned"))
    return _build(LearnedWeights, {**given, "levels": levels}, "learned")


def _side(document: Any, place: str) -> SidePlan:
    given = dict(_table(document, place))
    columns: dict[str, ColumnType] = {}
    for i, item in _items(given, "columns", place):
        column = dict(_table(item, f"{place}.columns[{i}]"))
        name = column.pop("name", None)
        if not isinstance(name, str) or name in columns:
            raise _wrong(f"{place}.columns[{i}].name", "a name that no other column has", name)
        columns[name] = _build(ColumnType, column, f"{place}.columns.{name}")
    given["columns"] = columns
    terms = [_build(SignedColumn, item, f"{place}.amount[{i}]") for i, item in _items(given, "amount", place)]
    given["amount"] = tuple(terms)
    if "direction" in given:
        given["direction"] = _build(Direction, given["direction"], f"{place}.direction")
    return _build(SidePlan, given, place)


def _build(kind: type[Built], document: Any, place: str) -> Built:
    """Return `kind` from a table, its values checked against the types of the dataclass."""
    given = _table(document, place)
    known = {field.name: str(field.type) for field in fields(kind)}
    _refuse_unknown(given, set(known), place)
    values: dict[str, Any] = {}
    for name, value in given.items():
        check, expected = _CHECKS.get(known[name], (lambda _: True, ""))
        if not check(value):
            raise _wrong(f"{place}.{name}", expected, value)
        if known[name] == "float":
            values[name] = float(value)
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    try:
        return kind(**values)
    except TypeError as error:
        missing = str(error).rpartition("argument")[2].strip(" s:'")
        raise BadPlan(f"{place} lacks {missing}.", subject=place, remedy=f"Add {missing} to it.") from None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (_is_whole(value) and abs(value) < 2**63)


_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "str": (_is_text, "text in quotes"),
    "Kind": (_is_text, "text in quotes"),
    "Scoring": (_is_text, "text in quotes"),
    "ReferenceForm": (_is_text, "text in quotes"),
    "TextForm": (_is_text, "text in quotes"),
    "str | None": (_is_text, "text in quotes"),
    "tuple[str, ...]": (_is_names, "an array of texts"),
    "int": (_is_whole, "a whole number"),
    "Literal[1, -1]": (_is_whole, "1 or -1"),
    "float": (_is_number, "a number"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
}


def _table(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(place, "a table", value)
    return value


def _refuse_unknown(given: Mapping[str, Any], known: set[str], place: str) -> None:
    for name in given:
        if name not in known:
            raise BadPlan(
                f"{place} has no key {name!r}.",
                subject=f"{place}.{name}",
                remedy=f"It has: {', '.join(sorted(known))}.",
            )


def _wrong(place: str, expected: str, given: object) -> BadPlan:
    if given is None:
        return BadPlan(f"{place} is missing; it must be {expected}.", subject=place, remedy="Add it to the plan file.")
    return _bad(must_be(place, expected, given))


def _bad(fault: Fault) -> BadPlan:
    return BadPlan(fault.what, subject=fault.place, remedy=fault.remedy)
