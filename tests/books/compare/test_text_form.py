"""How texts of rows that belong together are compared: as written, or folded where each side writes in its own way."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

import tieout
from tests.books.compare.builders import amounts, find_decision, get_decision, infer_plan, references
from tieout.core.settings import Settings
from tieout.engine.plan import Plan

ROWS = 60
SHOPS = [("Shell Station", "BP", "Café Noir", "Lidl GmbH")[row % 4] for row in range(ROWS)]


def _plan(theirs: list[str | None]) -> Plan:
    both = {"id": references(ROWS), "amount": amounts(ROWS)}
    return infer_plan(both | {"shop": SHOPS}, both | {"shop": theirs})


def _form(plan: Plan) -> str:
    [item] = [item for item in plan.compared if item.name == "shop"]
    return item.text_form


def test_texts_in_capitals_are_compared_without_them_and_it_is_told() -> None:
    plan = _plan([shop.upper() for shop in SHOPS])
    assert _form(plan) == "folded"
    decision = get_decision(plan, "compared as")
    assert decision.choice == "shop without capitals, accents and further blanks"
    assert decision.evidence == "all that differs on 45 of 60 paired rows"


@pytest.mark.parametrize("rewritten", ["Cafe Noir", "Café  Noir", "CAFÉ NOIR"])
def test_accents_and_further_blanks_are_a_way_to_write_as_well(rewritten: str) -> None:
    assert _form(_plan([rewritten if shop == "Café Noir" else shop for shop in SHOPS])) == "folded"


@pytest.mark.parametrize("changed", [0, 5])
def test_a_few_texts_in_capitals_are_findings(changed: int) -> None:
    plan = _plan([shop.upper() if row < changed else shop for row, shop in enumerate(SHOPS)])
    assert (_form(plan), find_decision(plan, "compared as")) == ("written", None)


def test_other_words_are_found_beside_those_in_capitals_and_shown_as_they_are(tmp_path: Path) -> None:
    both = {"id": references(ROWS), "amount": amounts(ROWS)}
    notes = ["gift" if row % 9 == 0 else "" for row in range(ROWS)]
    theirs = [shop.upper() for shop in SHOPS]
    theirs[7] = "ALDI"
    nothing = [note or ("NULL", "-", "n/a")[row % 3] for row, note in enumerate(notes)]
    found = tieout.compare(
        pa.table(both | {"shop": SHOPS, "note": notes}),
        pa.table(both | {"shop": theirs, "note": nothing}),
        settings=Settings.from_environment({"TIEOUT_DATA_DIR": str(tmp_path)}),
    )
    rows = found.differences.to_pylist()
    assert [(row["ours_row"], row["column"], row["ours_value"], row["theirs_value"]) for row in rows] == [
        (8, "shop", "Lidl GmbH", "ALDI")
    ]
