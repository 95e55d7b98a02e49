"""Amounts without a sign beside a column that says debit or credit: what is taken, said, asked for and refused."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import tieout
from tests.books.compare.builders import amounts, find_decision, get_decision, infer_plan, references
from tieout.books.compare.settled import PlanUndecided, UnknownColumn
from tieout.core.settings import Settings
from tieout.engine.plan import Direction, Plan

ROWS = 24
IDS = references(ROWS)
PLAIN = amounts(ROWS)
GOES_OUT = [row % 3 == 0 for row in range(ROWS)]
SIGNED = [f"-{value}" if out else value for value, out in zip(PLAIN, GOES_OUT, strict=True)]


def told(out: str, come: str) -> list[str]:
    return [out if is_out else come for is_out in GOES_OUT]


def _directions(plan: Plan) -> tuple[Direction | None, Direction | None]:
    return plan.ours.direction, plan.theirs.direction


@pytest.mark.parametrize(
    ("out", "come"),
    [
        ("S", "H"),
        ("Debit", "Credit"),
        ("dr", "cr"),
        ("DBIT", "CRDT"),
        ("Money Out", "Money In"),
        ("-", "+"),
        ("\u2212", "+"),
    ],
)
def test_what_goes_out_is_negative_in_whatever_words_it_is_told(out: str, come: str) -> None:
    theirs = {"id": IDS, "amount": PLAIN, "way": told(out, come)}
    plan = infer_plan({"id": IDS, "amount": SIGNED}, theirs)
    assert _directions(plan) == (None, Direction("way", (out.upper(),)))
    assert get_decision(plan, "direction").choice == f"way: {out.upper()} goes out"
    assert get_decision(plan, "amount").choice == "amount = amount by way"


def test_both_sides_may_have_one_each_in_its_own_words() -> None:
    ours = {"id": IDS, "amount": PLAIN, "kind": told("withdrawal", "deposit")}
    plan = infer_plan(ours, {"id": IDS, "amount": PLAIN, "dc": told("D", "C")})
    assert _directions(plan) == (Direction("kind", ("WITHDRAWAL",)), Direction("dc", ("D",)))
    assert not {item.name for item in plan.compared} & {"kind", "dc"}


def test_the_other_sides_view_turns_the_sign_round() -> None:
    theirs = {"id": IDS, "amount": PLAIN, "way": told("Credit", "Debit")}
    plan = infer_plan({"id": IDS, "amount": SIGNED}, theirs)
    assert plan.theirs.direction == Direction("way", ("DEBIT",))
    assert [term.sign for term in plan.theirs.amount] == [-1]


@pytest.mark.parametrize(
    "theirs",
    [
        {"id": IDS, "amount": SIGNED, "way": told("Debit", "Credit")},  # signed already
        {"id": IDS, "amount": SIGNED, "way": ["Debit"] * ROWS},  # only one way
        {"id": IDS, "amount": SIGNED, "way": told("Debit", "Tuesday")},  # another word
    ],
)
def test_amounts_that_have_a_sign_or_words_that_say_nothing_are_left_as_they_stand(
    theirs: dict[str, list[str]],
) -> None:
    plan = infer_plan({"id": IDS, "amount": SIGNED}, theirs)
    assert _directions(plan) == (None, None)
    assert find_decision(plan, "direction") is None


def test_amounts_without_a_sign_on_both_sides_are_not_turned_round_for_a_word_on_one() -> None:
    theirs = {"id": IDS, "amount": PLAIN, "way": told("Debit", "Credit")}
    assert _directions(infer_plan({"id": IDS, "amount": PLAIN}, theirs)) == (None, None)


def test_it_can_be_named_and_refused() -> None:
    ours, theirs = {"id": IDS, "amount": PLAIN}, {"id": IDS, "amount": PLAIN, "way": told("D", "C"), "x": IDS}
    assert _directions(infer_plan(ours, theirs | {"amount": PLAIN}, direction="none")) == (None, None)
    signed = infer_plan({"id": IDS, "amount": SIGNED}, theirs, direction="way", amount="amount")
    assert signed.theirs.direction == Direction("way", ("D",))
    assert _directions(infer_plan({"id": IDS, "amount": SIGNED}, theirs, direction="none")) == (None, None)
    told_twice = infer_plan({"id": IDS, "amount": SIGNED}, theirs | {"amount": SIGNED}, direction="way")
    assert told_twice.theirs.direction == Direction("way", ("D",))
    with pytest.raises(PlanUndecided, match="x in theirs.csv do not all say debit or credit"):
        infer_plan(ours, theirs, direction="x")
    with pytest.raises(UnknownColumn, match="--direction names column 'gone'"):
        infer_plan(ours, theirs, direction="gone")


def test_a_bank_that_writes_no_signs_ties_out(tmp_path: Path) -> None:
    def write(name: str, header: list[str], rows: list[list[str]]) -> Path:
        path = tmp_path / name
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=";").writerows([header, *rows])
        return path

    ours = write("ours.csv", ["ref", "amount"], [list(row) for row in zip(IDS, SIGNED, strict=True)])
    marks, commas = told(" s ", "H"), [value.replace(".", ",") for value in PLAIN]
    rows = [list(row) for row in zip(IDS, commas, marks, strict=True)]
    theirs = write("theirs.csv", ["Referenz", "Betrag", "Soll/Haben"], rows)
    settings = Settings.from_environment({"TIEOUT_DATA_DIR": str(tmp_path / "data")})
    result = tieout.compare(ours, theirs, settings=settings)
    assert (result.differences.num_rows, result.deltas.num_rows) == (0, 0)
    assert [item["difference"] for item in result.summary["currencies"]] == ["0.000000"]
    assert result.summary["plan"]["theirs"]["direction"] == "Soll/Haben"
    again = tieout.compare(ours, theirs, plan=next((tmp_path / "data").glob("**/plan.toml")), settings=settings)
    assert again.deltas.num_rows == 0
