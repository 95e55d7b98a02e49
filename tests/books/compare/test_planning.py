"""Plans in files: used again as they were saved, edited by hand, and refused with the key that is wrong."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from tests.books.compare.builders import amounts, infer_plan, references
from tieout.books.compare.infer import InferOptions
from tieout.books.compare.options import infer_options
from tieout.books.compare.planning import PlanSettled, PlanUnreadable, chosen_plan, save_plan
from tieout.engine.plan import Plan, Rules
from tieout.engine.plan_file import BadPlan

IDS = references(6)
TABLE = {
    "id": IDS,
    "amount": [f"{value} €".replace(".", ",") for value in amounts(6)],
    "day": [f"{day:02}/02/2026" for day in range(10, 16)],
    "memo": ["rent", "fuel", "food", "wage", "rent", "fuel"],
}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return infer_plan(TABLE, TABLE, tolerance_micros=10_000, tolerance_ppm=500)


@pytest.fixture
def path(plan: Plan, tmp_path: Path) -> Path:
    save_plan(plan, tmp_path / "plan.toml")
    return tmp_path / "plan.toml"


def _edit(path: Path, *place: str | int, value: Any) -> None:
    """Change one value of a plan file, as a person does by hand."""
    document = tomllib.loads(path.read_text())
    table: Any = document
    for key in place[:-1]:
        table = table[key]
    table[place[-1]] = value
    path.write_text(tomli_w.dumps(document))


# Saved and used again


def test_a_saved_plan_is_the_same_plan_when_it_is_used_again(plan: Plan, path: Path) -> None:
    assert chosen_plan(path, InferOptions()) == plan
    assert chosen_plan(path, infer_options()) == plan


def test_saving_a_plan_that_was_read_changes_no_byte(path: Path, tmp_path: Path) -> None:
    again = tmp_path / "deep" / "er" / "again.toml"
    save_plan(chosen_plan(path, InferOptions()), again)
    assert again.read_bytes() == path.read_bytes()


def test_a_saved_plan_tells_a_person_what_may_be_edited(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("# A plan of Tieout")
    assert "--plan" in text
    assert 'tolerance = "0.010000"' in text
    assert 'decimal_mark = ","' in text


def test_an_edit_by_hand_is_followed(plan: Plan, path: Path) -> None:
    _edit(path, "rules", "tolerance", value="2.5")
    _edit(path, "ours", "currency_constant", value="USD")
    _edit(path, "compared", value=[])
    _edit(path, "decisions", value=[])
    expected = replace(
        plan,
        ours=replace(plan.ours, currency_constant="USD"),
        compared=(),
        rules=replace(plan.rules, tolerance_micros=2_500_000),
        decisions=(),
    )
    assert chosen_plan(path, InferOptions()) == expected


# Options beside a plan


@pytest.mark.parametrize(
    ("given", "micros", "ppm"),
    [
        (None, 10_000, 500),
        (["0.05"], 50_000, 0),
        (["2%"], 0, 20_000),
        (["0.05", "2%"], 50_000, 20_000),
        (["0"], 0, 0),
    ],
)
def test_a_tolerance_that_is_given_takes_the_place_of_the_plans(
    path: Path, given: list[str] | None, micros: int, ppm: int
) -> None:
    rules = chosen_plan(path, infer_options(tolerance=given)).rules
    assert (rules.tolerance_micros, rules.tolerance_ppm) == (micros, ppm)


def test_a_window_that_is_given_takes_the_place_of_the_plans(plan: Plan, path: Path) -> None:
    save_plan(replace(plan, rules=Rules(window_days=9)), path)
    assert chosen_plan(path, infer_options()).rules.window_days == 9
    assert chosen_plan(path, infer_options(window_days=0)).rules.window_days == 0
    assert chosen_plan(path, infer_options(window_days=4)).rules == Rules(window_days=4)


@pytest.mark.parametrize(
    ("option", "given"),
    [
        ("--on", {"on": ["id"]}),
        ("--amount", {"amount": "amount"}),
        ("--date", {"date": "day"}),
        ("--currency", {"currency": "EUR"}),
        ("--scale", {"scale": "cents"}),
        ("--fee", {"fee": "none"}),
        ("--text", {"text": "memo"}),
        ("--group-by", {"group_by": "id"}),
        ("--number-format", {"number_format": "1.234,56"}),
        ("--date-format", {"date_format": "DMY"}),
        ("--ignore", {"ignore": ["memo"]}),
    ],
)
def test_an_option_that_the_plan_settles_is_refused(path: Path, option: str, given: dict[str, Any]) -> None:
    with pytest.raises(PlanSettled) as raised:
        chosen_plan(path, infer_options(**given))
    assert raised.value.subject == option
    assert raised.value.what == f"{option} is settled by the plan {path}."
    assert f"leave {option} out" in raised.value.remedy


# Files that cannot be used


@pytest.mark.parametrize(
    ("place", "value", "what", "subject"),
    [
        (
            ("ours", "columns", 1, "kind"),
            "money",
            "ours.columns.amount.kind must be one of",
            "ours.columns.amount.kind",
        ),
        (
            ("ours", "columns", 1, "decimal"),
            ",",
            "ours.columns.amount has no key 'decimal'",
            "ours.columns.amount.decimal",
        ),
        (("ours", "key"), ["invoice"], "ours.key names 'invoice', which is not among", "ours.key"),
        (("ours", "key"), "id", "ours.key must be an array of texts", "ours.key"),
        (("theirs", "amount", 0, "column"), "betrag", "theirs.amount names 'betrag'", "theirs.amount"),
        (("theirs", "amount", 0, "sign"), 2, "theirs.amount[0].sign must be 1 or -1", "theirs.amount[0].sign"),
        (("theirs", "date"), "when", "theirs.date names 'when'", "theirs.date"),
        (("theirs", "amount_exponent"), "-2", "theirs.amount_exponent must be a whole", "theirs.amount_exponent"),
        (("compared", 0, "kind"), 7, "compared[0].kind must be", "compared[0].kind"),
        (("rules", "tolerance"), "a cent", "rules.tolerance must be an amount in quotes", "rules.tolerance"),
        (("rules", "window_days"), -1, "rules.window_days must be a whole number from 0", "rules.window_days"),
        (("rules", "window"), 3, "rules has no key 'window'", "rules.window"),
        (("rules", "weights", "colour"), 0.5, "rules.weights has no key 'colour'", "rules.weights.colour"),
        (("key",), ["id"], "plan has no key 'key'", "plan.key"),
        (("version",), 9, "The plan has version 9, not 1", "version"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_an_edit_that_cannot_be_followed_is_refused_with_its_key(
    path: Path, place: tuple[str | int, ...], value: Any, what: str, subject: str
) -> None:
    _edit(path, *place, value=value)
    with pytest.raises(BadPlan) as raised:
        chosen_plan(path, InferOptions())
    assert raised.value.what.startswith(what)
    assert raised.value.subject == subject
    assert raised.value.remedy


def test_a_file_that_is_no_toml_is_refused_with_the_line(path: Path) -> None:
    path.write_text("version = 1\n[ours\n")
    with pytest.raises(BadPlan, match=r"The plan is not TOML: .*line 2"):
        chosen_plan(path, InferOptions())


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "plan.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PlanUnreadable) as raised:
        chosen_plan(path, InferOptions())
    assert raised.value.subject == str(path)
    assert raised.value.what.startswith(f"The plan {path} cannot be read: ")


def test_a_plan_that_cannot_be_saved_is_named(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PlanUnreadable) as raised:
        save_plan(plan, tmp_path / "file" / "plan.toml")
    assert raised.value.subject == str(tmp_path / "file" / "plan.toml")
    assert raised.value.remedy == "Name another file."
