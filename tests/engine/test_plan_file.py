"""A plan as TOML: what is written is read back, and what cannot be used is named with its place."""

from __future__ import annotations

import math
import tomllib
from dataclasses import fields, replace
from typing import Any, get_args

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.core.money import MAX_MICROS
from tieout.engine.plan import (
    EVIDENCE,
    ColumnType,
    Compared,
    Decision,
    Direction,
    Kind,
    LearnedWeights,
    Level,
    Plan,
    Rules,
    Scoring,
    SidePlan,
    SignedColumn,
    TextForm,
    Weights,
)
from tieout.engine.plan_file import BadPlan, plan_from_toml, plan_to_toml

many = settings(max_examples=100, deadline=None, derandomize=True, database=None)

# Plans

names = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
shares = st.floats(0, 1)
column_types = st.builds(
    lambda kind, marks, date_format: ColumnType(kind, *marks, date_format),
    st.sampled_from(get_args(Kind)),
    st.sampled_from([(".", ""), (",", ""), (".", ","), (",", "."), (".", " "), (",", "'"), (".", "\u2019")]),
    st.sampled_from(["", "%d.%m.%Y", "%Y-%m-%d|%d/%m/%Y", "unix-seconds"]),
)
weights = st.builds(Weights, shares, shares, shares, shares).filter(lambda drawn: drawn != Weights(0, 0, 0, 0))
learned_weights = st.builds(
    LearnedWeights,
    st.floats(0.001, 0.999),
    st.lists(
        st.builds(Level, st.sampled_from(EVIDENCE), st.integers(-9, 155), shares, shares),
        max_size=4,
        unique_by=lambda item: (item.evidence, item.level),
    ).map(tuple),
)
rules = st.builds(
    Rules,
    scoring=st.sampled_from(get_args(Scoring)),
    tolerance_micros=st.integers(0, MAX_MICROS),
    tolerance_ppm=st.integers(0, 1_000_000),
    window_days=st.integers(0, 36_500),
    weights=weights,
    auto_threshold=st.floats(0.5, 1),
    review_threshold=st.floats(0, 0.5),
    required_margin=shares,
    lag_half_days=st.floats(0.01, 100),
    zone=st.sampled_from(["UTC", "Europe/Berlin"]),
)
MOMENTS: tuple[Kind, ...] = ("date", "timestamp")


@st.composite
def sides(draw: st.DrawFn, counts: dict[str, int]) -> SidePlan:
    """Draw a side whose roles name columns that it has, of a kind that can play them; `counts` of those in pairs."""
    columns = draw(st.dictionaries(names, column_types, min_size=2, max_size=6))

    def several(kinds: tuple[Kind, ...] = get_args(Kind), most: int = 3) -> st.SearchStrategy[list[str]]:
        fitting = [name for name, column in columns.items() if column.kind in kinds]
        return st.lists(st.sampled_from(fitting), max_size=most, unique=True) if fitting else st.just([])

    def one(*kinds: Kind) -> str | None:
        return next(iter(draw(several(kinds, most=1))), None)

    def paired(role: str) -> tuple[str, ...]:
        return tuple(draw(st.permutations(list(columns)))[: counts[role]])

    fx_rate = one("number")
    return SidePlan(
        columns=columns,
        key=paired("key"),
        group=paired("group"),
        amount=tuple(SignedColumn(name, draw(st.sampled_from([1, -1]))) for name in draw(several(("number",)))),
        amount_exponent=draw(st.integers(-9, 9)),
        direction=Direction(told, ("D", "DEBIT")) if (told := one("text")) else None,
        currency=one("text"),
        currency_constant=draw(st.sampled_from(["", "EUR"])),
        date=one(*MOMENTS),
        text=tuple(draw(several())),
        quantity=one("number"),
        fee=one("number"),
        fx_rate=fx_rate,
        converts=fx_rate is not None and draw(st.booleans()),
        units=paired("units"),
        format=draw(st.sampled_from(["", "csv", "parquet"])),
        sheet=draw(names),
        records=draw(names),
        encoding=draw(st.sampled_from(["", "utf-8", "cp1252"])),
        delimiter=draw(st.sampled_from(["", ";", "\t", "\x1f"])),
        header_line=draw(st.integers(-1, 9)),
    )


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Draw a plan that can be run, as far as the file can tell."""
    counts = {role: draw(st.integers(0, 2)) for role in ("key", "group", "units")}
    ours, theirs = draw(sides(counts)), draw(sides(counts))
    comparable = [
        Compared(
            draw(names),
            mine,
            other,
            draw(st.sampled_from(MOMENTS)) if column.kind in MOMENTS else column.kind,
            draw(st.sampled_from(get_args(TextForm))) if column.kind == "text" else "written",
        )
        for mine, column in ours.columns.items()
        for other, its in theirs.columns.items()
        if column.kind == its.kind or {column.kind, its.kind} <= set(MOMENTS)
    ]
    decisions = st.builds(Decision, names, names, shares, names, names)
    return Plan(
        ours,
        theirs,
        tuple(comparable[: draw(st.integers(0, 3))]),
        draw(rules),
        tuple(draw(st.lists(decisions, max_size=3))),
        draw(st.none() | learned_weights),
    )


@many
@given(plans())
def test_a_plan_is_read_back_as_it_was_written(plan: Plan) -> None:
    text = plan_to_toml(plan)
    read = plan_from_toml(text)
    assert read == plan
    assert list(read.ours.columns) == list(plan.ours.columns)
    assert plan_to_toml(read) == text


@many
@given(plans())
def test_the_text_is_toml_in_which_tables_and_amounts_read_as_they_are_meant(plan: Plan) -> None:
    document = tomllib.loads(plan_to_toml(plan))
    assert next(iter(document)) == "version"
    assert [column["name"] for column in document["ours"]["columns"]] == list(plan.ours.columns)
    assert isinstance(document["rules"]["tolerance"], str)
    assert "tolerance_micros" not in document["rules"]


JUNK = st.one_of(
    st.none().map(lambda _: {}),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=True),
    st.just(10**400),
    st.booleans(),
    st.text(max_size=4),
    st.lists(st.integers(), max_size=2),
    st.just([{}]),
    st.just({"a": 1}),
)


@many
@given(plans(), JUNK, st.randoms(use_true_random=False))
def test_any_value_in_any_place_is_taken_or_refused_with_its_place(plan: Plan, junk: Any, chance: Any) -> None:
    document = tomllib.loads(plan_to_toml(plan))
    table: Any = document
    while True:
        key = chance.choice(list(table) if isinstance(table, dict) else range(len(table)))
        below = table[key]
        if not isinstance(below, dict | list) or not below or chance.random() < 0.2:
            break
        table = below
    table[key] = junk
    try:
        plan_from_toml(tomli_w.dumps(document))
    except BadPlan as refused:
        assert refused.subject
        assert refused.remedy


# What a person may leave out

SHORT = """
version = 1
[ours]
key = ["id"]
amount = [{column = "net"}]
columns = [{name = "id", kind = "text"}, {name = "net", kind = "number", decimal_mark = ","}]
[theirs]
key = ["ref"]
amount = [{column = "paid", sign = -1}]
columns = [{name = "ref", kind = "text"}, {name = "paid", kind = "number"}]
"""


def test_what_is_left_out_takes_its_default() -> None:
    assert plan_from_toml(SHORT) == Plan(
        ours=SidePlan(
            columns={"id": ColumnType("text"), "net": ColumnType("number", ",")},
            key=("id",),
            amount=(SignedColumn("net"),),
        ),
        theirs=SidePlan(
            columns={"ref": ColumnType("text"), "paid": ColumnType("number")},
            key=("ref",),
            amount=(SignedColumn("paid", -1),),
        ),
    )


@pytest.mark.parametrize(("written", "micros"), [("0", 0), ("0.01", 10_000), ("12", 12_000_000), ("1e-6", 1)])
def test_a_tolerance_is_written_as_money(written: str, micros: int) -> None:
    assert plan_from_toml(f'{SHORT}\n[rules]\ntolerance = "{written}"').rules.tolerance_micros == micros
    assert plan_from_toml(f"{SHORT}\n[rules]\ntolerance = {written}").rules.tolerance_micros == micros


def test_a_whole_number_will_do_where_a_share_is_meant() -> None:
    rules_read = plan_from_toml(f"{SHORT}\n[rules]\nauto_threshold = 1\nweights = {{time = 1, amount = 0}}").rules
    assert rules_read == Rules(auto_threshold=1.0, weights=Weights(time=1.0, amount=0.0))
    assert isinstance(rules_read.auto_threshold, float)


def test_the_summary_of_decisions_may_be_removed() -> None:
    plan = replace(plan_from_toml(SHORT), decisions=(Decision("key", "id", 0.9, "unique", "--on"),))
    document = tomllib.loads(plan_to_toml(plan))
    del document["decisions"]
    assert plan_from_toml(tomli_w.dumps(document)) == replace(plan, decisions=())


# What is refused


def _refused(document: dict[str, Any] | str) -> BadPlan:
    text = document if isinstance(document, str) else tomli_w.dumps(document)
    with pytest.raises(BadPlan) as raised:
        plan_from_toml(text)
    assert raised.value.remedy
    return raised.value


@pytest.mark.parametrize(
    ("table", "place", "listed"),
    [
        ((), "plan", "compared, decisions, learned, ours, rules, settlement, theirs"),
        (("rules",), "rules", "auto_threshold"),
        (("rules", "weights"), "rules.weights", "amount, text, time, unit"),
        (("ours",), "ours", "amount, amount_exponent, columns"),
        (("theirs",), "theirs", "amount, amount_exponent, columns"),
        (("ours", "amount", 0), "ours.amount[0]", "column, sign"),
        (("theirs", "columns", 1), "theirs.columns.paid", "date_format, decimal_mark, group_mark, kind"),
        (("compared", 0), "compared[0]", "kind, name, ours, text_form, theirs"),
        (("decisions", 0), "decisions[0]", "choice, confidence, evidence, option, subject"),
    ],
)
def test_a_key_that_is_unknown_is_refused_with_those_that_are_known(
    table: tuple[str | int, ...], place: str, listed: str
) -> None:
    full = replace(
        plan_from_toml(SHORT),
        compared=(Compared("id", "id", "ref", "text"),),
        decisions=(Decision("key", "id", 0.9, "unique", "--on"),),
    )
    document = tomllib.loads(plan_to_toml(full))
    found: Any = document
    for key in table:
        found = found[key]
    found["colour"] = "red"
    refused = _refused(document)
    assert refused.what == f"{place} has no key 'colour'."
    assert refused.subject == f"{place}.colour"
    assert listed in refused.remedy


_EXPECTED = {
    "str": "text in quotes",
    "str | None": "text in quotes",
    "tuple[str, ...]": "an array of texts",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
}
_WRONG = {"str": 7, "str | None": 7, "tuple[str, ...]": "id", "int": 1.5, "float": "half", "bool": "yes"}
_SHOWN = {"str": "7", "str | None": "7", "tuple[str, ...]": "'id'", "int": "1.5", "float": "'half'", "bool": "'yes'"}


@pytest.mark.parametrize(
    ("table", "kind", "name"),
    [
        (table, str(field.type), field.name)
        for table, of in (("ours", SidePlan), ("rules", Rules), ("rules.weights", Weights))
        for field in fields(of)
        if str(field.type) in _EXPECTED and field.name != "tolerance_micros"
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_the_right_one(table: str, kind: str, name: str) -> None:
    document = tomllib.loads(plan_to_toml(plan_from_toml(SHORT)))
    found: Any = document
    for key in table.split("."):
        found = found[key]
    found[name] = _WRONG[kind]
    refused = _refused(document)
    assert refused.what == f"{table}.{name} must be {_EXPECTED[kind]}, not {_SHOWN[kind]}."
    assert refused.subject == f"{table}.{name}"


@pytest.mark.parametrize(
    ("place", "value", "what"),
    [
        ("rules.tolerance", "-0.01", "rules.tolerance must be zero or more, not '-0.01'."),
        ("rules.tolerance", "1 EUR", "rules.tolerance must be an amount in quotes, such as \"0.01\", not '1 EUR'."),
        ("rules.tolerance", True, 'rules.tolerance must be an amount in quotes, such as "0.01", not true.'),
        ("rules.tolerance", "1e30", "rules.tolerance must be at most 9,223,372,036,854.775807, not '1e30'."),
        ("rules.tolerance_ppm", -1, "rules.tolerance_ppm must be a whole number from 0 to 1000000, not -1."),
        (
            "rules.tolerance_ppm",
            10**6 + 1,
            "rules.tolerance_ppm must be a whole number from 0 to 1000000, not 1000001.",
        ),
        ("rules.window_days", -1, "rules.window_days must be a whole number from 0 to 36500, not -1."),
        ("rules.window_days", 36_501, "rules.window_days must be a whole number from 0 to 36500, not 36501."),
        ("rules.window_days", True, "rules.window_days must be a whole number, not true."),
        (
            "rules.review_threshold",
            0.9,
            "rules.review_threshold must be at most auto_threshold, which is 0.8, not 0.9.",
        ),
        ("rules.review_threshold", -0.1, "rules.review_threshold must be a number from 0 to 1, not -0.1."),
        ("rules.auto_threshold", 1.1, "rules.auto_threshold must be a number from 0 to 1, not 1.1."),
        ("rules.auto_threshold", math.nan, "rules.auto_threshold must be a number from 0 to 1, not nan."),
        ("rules.required_margin", 2, "rules.required_margin must be a number from 0 to 1, not 2.0."),
        ("rules.lag_half_days", 0, "rules.lag_half_days must be more than 0 and at most 36500, not 0.0."),
        ("rules.lag_half_days", math.inf, "rules.lag_half_days must be more than 0 and at most 36500, not inf."),
        ("rules.weights.time", -0.5, "rules.weights.time must be a number from 0 to 1000, not -0.5."),
        ("rules.weights.text", math.nan, "rules.weights.text must be a number from 0 to 1000, not nan."),
        ("rules.weights.unit", 10**400, "rules.weights.unit must be a number, not 1000"),
        ("rules.weights", dict.fromkeys(("time", "amount", "unit", "text"), 0), "rules.weights are all 0, so that"),
        ("rules.scoring", "guess", "rules.scoring must be one of weighted, learned, not 'guess'."),
        ("rules.zone", "Berlin", "rules.zone names 'Berlin', which is no time zone."),
        ("rules.zone", "", "rules.zone names '', which is no time zone."),
        ("rules", "strict", "rules must be a table, not 'strict'."),
        ("rules.weights", 1, "rules.weights must be a table, not 1."),
        ("ours", ["id"], "ours must be a table, not ['id']."),
        ("ours.columns", "id", "ours.columns must be an array of tables, not 'id'."),
        ("ours.amount", "net", "ours.amount must be an array of tables, not 'net'."),
        ("ours.amount.0.sign", 0, "ours.amount[0].sign must be 1 or -1, not 0."),
        ("ours.amount.0.sign", True, "ours.amount[0].sign must be 1 or -1, not true."),
        ("ours.amount.0.column", "gross", "ours.amount names 'gross', which is not among ours.columns."),
        ("ours.amount_exponent", 10, "ours.amount_exponent must be a whole number from -9 to 9, not 10."),
        (
            "ours.direction",
            {"column": "id", "outgoing": ["d"]},
            "ours.direction.outgoing must be the values of debits, in capital letters, not ['d'].",
        ),
        ("ours.direction", {"column": "gone", "outgoing": ["D"]}, "ours.direction.column names 'gone'"),
        ("ours.key", ["no"], "ours.key names 'no', which is not among ours.columns."),
        ("ours.key", ["id", "id"], "ours.key names 'id' twice."),
        ("ours.key", ["id", "net"], "theirs.key names one column ('ref') and ours.key names 2 ('id', 'net')."),
        ("ours.key", [], "theirs.key names one column ('ref') and ours.key names no column."),
        ("theirs.group", ["ref"], "theirs.group names one column ('ref') and ours.group names no column."),
        ("ours.units", ["id"], "theirs.units names no column and ours.units names one column ('id')."),
        ("ours.text", ["id", "id"], "ours.text names 'id' twice."),
        ("ours.amount", [{"column": "net"}, {"column": "net", "sign": -1}], "ours.amount names 'net' twice."),
        ("ours.currency", "ccy", "ours.currency names 'ccy', which is not among ours.columns."),
        ("ours.currency_constant", "eur", "ours.currency_constant must be in capital letters ('EUR'), not 'eur'."),
        ("ours.units", ["id", "shop"], "ours.units names 'shop', which is not among ours.columns."),
        ("ours.converts", True, "ours.fx_rate must be a column, for `converts` needs a rate."),
        ("ours.format", "docx", "ours.format must be '' or one of csv, tsv, xlsx, "),
        ("ours.encoding", "utf-88", "ours.encoding must be '' or an encoding such as utf-8, cp1252 or utf-16, not"),
        ("ours.encoding", "rot13", "ours.encoding must be '' or an encoding such as utf-8, cp1252 or utf-16, not"),
        ("ours.encoding", "a\0b", "ours.encoding must be '' or an encoding such as utf-8, cp1252 or utf-16, not"),
        (
            "ours.delimiter",
            ";;",
            "ours.delimiter must be '' or one character such as ',', ';', '|' or '\\t', not ';;'.",
        ),
        ("ours.delimiter", "\n", "ours.delimiter must be '' or one character such as"),
        ("ours.delimiter", '"', "ours.delimiter must be '' or one character such as"),
        ("ours.delimiter", "5", "ours.delimiter must be '' or one character such as"),
        (
            "ours.header_line",
            -2,
            "ours.header_line must be the number of a line, 0 for no header or -1 to find it, not -2.",
        ),
        (
            "ours.columns.1.kind",
            "money",
            "ours.columns.net.kind must be one of text, number, date, timestamp, not 'money'.",
        ),
        (
            "ours.columns.1.group_mark",
            ",",
            "ours.columns.net.group_mark must be '' (none), '.', ',', ' ' or \"'\", and",
        ),
        ("ours.columns.1.name", "id", "ours.columns[1].name must be a name that no other column has, not 'id'."),
        ("ours.columns.1.name", 7, "ours.columns[1].name must be a name that no other column has, not 7."),
        ("version", 2, "The plan has version 2, not 1."),
        ("version", True, "The plan has version True, not 1."),
        ("compared", "all", "compared must be an array of tables, not 'all'."),
    ],
)
def test_a_value_without_sense_is_refused_with_its_place(place: str, value: Any, what: str) -> None:
    document = tomllib.loads(plan_to_toml(plan_from_toml(SHORT)))
    found: Any = document
    *above, last = [int(key) if key.isdigit() else key for key in place.split(".")]
    for key in above:
        found = found[key]
    found[last] = value
    refused = _refused(document)
    assert refused.what.startswith(what)
    assert refused.what.startswith((refused.subject, "The plan has"))


@pytest.mark.parametrize("missing", ["ours", "theirs", "ours.columns", "theirs.columns.0.kind", "ours.amount.0.column"])
def test_what_is_needed_is_asked_for(missing: str) -> None:
    document = tomllib.loads(plan_to_toml(plan_from_toml(SHORT)))
    found: Any = document
    *above, last = [int(key) if key.isdigit() else key for key in missing.split(".")]
    for key in above:
        found = found[key]
    del found[last]
    refused = _refused(document)
    assert missing.partition(".")[0] in refused.subject


def test_a_plan_of_no_version_is_refused() -> None:
    assert _refused("").what == "The plan has version None, not 1."


def test_a_text_that_is_no_toml_is_refused() -> None:
    refused = _refused("version = = 1")
    assert refused.what.startswith("The plan is not TOML: ")
    assert refused.remedy == "Mend the line it names."


@pytest.mark.parametrize(
    ("side", "name", "remedy"), [("ours", "ref", "id, net"), ("theirs", "id", "ref, paid"), ("ours", "nett", "id, net")]
)
def test_compared_columns_that_the_sides_do_not_have_are_refused(side: str, name: str, remedy: str) -> None:
    plan = replace(plan_from_toml(SHORT), compared=(replace(Compared("id", "id", "ref", "text"), **{side: name}),))
    refused = _refused(plan_to_toml(plan))
    assert refused.subject == f"compared[0].{side}"
    assert remedy in refused.remedy


@pytest.mark.parametrize("kind", ["money", "Text", ""])
def test_a_compared_pair_has_a_known_kind(kind: str) -> None:
    plan = replace(plan_from_toml(SHORT), compared=(Compared("id", "id", "ref", kind),))  # type: ignore[arg-type]
    refused = _refused(plan_to_toml(plan))
    assert refused.subject == "compared[0].kind"


@pytest.mark.parametrize(("kind", "form"), [("text", "plain"), ("text", ""), ("number", "folded")])
def test_a_compared_pair_of_texts_has_a_known_form(kind: str, form: str) -> None:
    plan = replace(plan_from_toml(SHORT), compared=(Compared("id", "id", "ref", "text", "folded"),))
    written = plan_to_toml(plan)
    assert plan_from_toml(written) == plan
    changed = tomllib.loads(written)
    changed["compared"][0] |= {"kind": kind, "text_form": form}
    assert _refused(tomli_w.dumps(changed)).subject == "compared[0].text_form"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("decimal_mark", ""),
        ("decimal_mark", ";"),
        ("decimal_mark", ".."),
        ("group_mark", "--"),
        ("group_mark", "0"),
    ],
)
def test_a_mark_of_numbers_is_one_that_can_be_read(place: str, value: str) -> None:
    document = tomllib.loads(plan_to_toml(plan_from_toml(SHORT)))
    document["ours"]["columns"][1][place] = value
    assert _refused(document).subject == f"ours.columns.net.{place}"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("rules.tolerance_ppm", 2**63),
        ("rules.window_days", 2**63),
        ("ours.amount_exponent", -99),
        ("ours.amount_exponent", 99),
    ],
)
def test_a_whole_number_is_one_that_the_engine_can_work_with(place: str, value: int) -> None:
    document = tomllib.loads(plan_to_toml(plan_from_toml(SHORT)))
    table, _, name = place.partition(".")
    document[table][name] = value
    assert _refused(document).subject == place


def test_the_amount_is_a_column_of_numbers() -> None:
    document = tomllib.loads(plan_to_toml(plan_from_toml(SHORT)))
    document["ours"]["amount"][0]["column"] = "id"
    refused = _refused(document)
    assert refused.subject == "ours.amount"
    assert refused.what == "ours.amount names 'id', a column of kind text, and takes one of kind number."
    assert refused.remedy == "Name one of: net, or give 'id' another kind in ours.columns."


@pytest.mark.parametrize(
    ("role", "name", "wanted", "fitting"),
    [
        ("fee", "id", "number", "net"),
        ("quantity", "day", "number", "net"),
        ("fx_rate", "id", "number", "net"),
        ("date", "net", "date or timestamp", "day"),
        ("date", "id", "date or timestamp", "day"),
        ("currency", "net", "text", "id"),
        ("currency", "day", "text", "id"),
    ],
)
def test_a_role_is_played_by_a_column_of_its_kind(role: str, name: str, wanted: str, fitting: str) -> None:
    document = tomllib.loads(plan_to_toml(plan_from_toml(SHORT)))
    document["ours"]["columns"].append({"name": "day", "kind": "date"})
    kinds = {column["name"]: column["kind"] for column in document["ours"]["columns"]}
    document["ours"][role] = name
    refused = _refused(document)
    assert refused.subject == f"ours.{role}"
    assert (
        refused.what == f"ours.{role} names {name!r}, a column of kind {kinds[name]}, and takes one of kind {wanted}."
    )
    assert f"Name one of: {fitting}, or" in refused.remedy


@pytest.mark.parametrize(
    ("kind", "ours", "theirs"),
    [
        ("number", "id", "paid"),
        ("number", "net", "ref"),
        ("text", "net", "paid"),
        ("date", "day", "ref"),
        ("timestamp", "net", "day"),
        ("text", "day", "day"),
    ],
)
def test_a_pair_is_compared_as_what_both_its_columns_are(kind: Kind, ours: str, theirs: str) -> None:
    document = tomllib.loads(plan_to_toml(plan_from_toml(SHORT)))
    for side in ("ours", "theirs"):
        document[side]["columns"].append({"name": "day", "kind": "date"})
    document["compared"] = [
        {"name": "id", "kind": "text", "ours": "id", "theirs": "ref"},
        {"name": "x", "kind": kind, "ours": ours, "theirs": theirs},
    ]
    refused = _refused(document)
    assert refused.subject == "compared[1].kind"
    assert refused.what.startswith(f"compared[1].kind is {kind}, but ours.{ours} is of kind ")


def test_more_units_than_the_engine_holds_against_each_other_are_refused() -> None:
    document = tomllib.loads(plan_to_toml(plan_from_toml(SHORT)))
    for side in ("ours", "theirs"):
        document[side]["columns"] += [{"name": f"u{i}", "kind": "text"} for i in range(7)]
        document[side]["units"] = [f"u{i}" for i in range(7)]
    refused = _refused(document)
    assert (refused.subject, refused.remedy) == ("ours.units", "Name at most 6 of them.")


def test_a_time_zone_that_is_almost_right_is_answered_with_those_that_are() -> None:
    assert "Europe/Berlin" in _refused(f'{SHORT}\n[rules]\nzone = "europe/berlin"').remedy


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "a = " + "9" * 5_000])
def test_a_text_beyond_what_can_be_read_is_refused(text: str) -> None:
    assert _refused(text).subject == "plan"


@pytest.mark.parametrize("date_format", ["%Q", "dd.mm.yyyy", "%d.%m", "%d.%m.%Y|", "%d.%m.%Y %K", "unix"])
def test_a_date_format_is_one_that_can_be_read(date_format: str) -> None:
    document = tomllib.loads(plan_to_toml(plan_from_toml(SHORT)))
    document["ours"]["columns"][0] |= {"kind": "date", "date_format": date_format}
    refused = _refused(document)
    assert refused.subject == "ours.columns.id.date_format"
    assert "'%d.%m.%Y'" in refused.remedy
