import io
import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from tests.report.builders import PARTS, Run, a_clean_run, a_decision, a_full_run, check, delta, difference, quarantined
from tieout.report import words
from tieout.report.console import render


def shown(summary, width=80, *, colour=False, **more):
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=colour, color_system="truecolor" if colour else None)
    render(summary, console, **more)
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("make", [a_full_run, a_clean_run, Run])
def test_no_line_is_wider_than_the_terminal(make, width, tmp_path):
    text = shown(make().write(tmp_path), width)
    assert max(cell_len(line) for line in text.splitlines()) <= width


@pytest.mark.parametrize("width", [80, 140])
def test_every_amount_of_money_stands_on_the_page_whole(width, tmp_path):
    summary = a_full_run().write(tmp_path)
    text = shown(summary, width)
    differing = [item for item in summary["currencies"] if item["currency"] != "GBP"]
    for item in differing:
        assert words.money(item["expected"]) in text
        assert words.money(item["reported"]) in text
        assert words.money(item["difference"], sign=True) in text
        for part in PARTS:
            assert words.money(item["parts"][part], sign=True) in text
    for item in summary["deltas"]:
        assert words.money(item["amount"], sign=True) in text
    assert "Agrees: GBP 77.70" in text


def test_amounts_of_one_column_end_at_the_same_place(tmp_path):
    lines = shown(a_full_run().write(tmp_path)).splitlines()
    start = next(place for place, line in enumerate(lines) if line.split() == ["EUR", "USD"])
    stop = next(place for place, line in enumerate(lines) if "Agrees" in line)
    ends = [[found.end() for found in re.finditer(r"\S+", line)][-2:] for line in lines[start:stop]]
    assert len({tuple(end) for end in ends}) == 1


def test_huge_amounts_in_many_currencies_are_split_and_never_cut(tmp_path):
    expected = "98765432109876543210.123456"
    codes = ["EUR", "USD", "GBP", "JPY", "CHF"]
    run = Run(
        deltas=[delta("missing", "1", currency=code) for code in codes],
        totals=dict.fromkeys(codes, (expected, "0")),
    )
    summary = run.write(tmp_path)
    text = shown(summary, 80)
    assert text.count(words.money(expected)) == len(codes)
    assert "…" not in text


def test_a_narrow_terminal_folds_amounts_and_loses_no_digit(tmp_path):
    run = Run(deltas=[delta("missing", "1")], totals={"EUR": ("98765432109876543210.123456", "0")})
    text = shown(run.write(tmp_path), 30)
    digits = re.sub(r"[^0-9]", "", text.partition("Expected")[2].partition("Difference")[0].partition("Reported")[0])
    assert digits.startswith("98765432109876543210123456")


def test_markup_and_escape_sequences_of_strangers_are_inert(tmp_path):
    hostile = "[red]x[/red] \x1b[31m[link=https://evil.example]y[/link]\x1b]0;t\x07\u202e"
    run = Run(
        ours_name=hostile,
        theirs_name="[/] [bold",
        differences=[difference(1, 1, hostile, "a", "b")],
        quarantine=[quarantined(2, reason_code=hostile)],
        checks=[check("2", "1", message=hostile, file=hostile, currency="[red]")],
        deltas=[delta("missing", "1", currency="[blink]")],
        decisions=[a_decision(hostile, choice=hostile, evidence=hostile, option=hostile, confidence=0.1)],
    )
    summary = run.write(tmp_path)
    summary["ours"]["notes"] = [hostile]
    summary["searched"] = hostile
    summary["run_id"] = "[red]id"
    text = shown(summary, 200)
    assert "[red]x[/red] [link=https://evil.example]y[/link]" in text
    assert not set(text) & {"\x1b", "\x07", "\u202e"}
    coloured = shown(summary, 200, colour=True)
    assert "\x1b]" not in coloured
    assert "\x1b[31m" not in coloured
    assert "\x1b[5m" not in coloured


def test_decisions_stand_least_sure_first_with_their_option(tmp_path):
    text = shown(a_full_run().write(tmp_path)).partition("least sure first")[2]
    places = [text.index(said) for said in ("58%", "97%", "99%")]
    assert places == sorted(places)
    assert "--date" in text
    assert "--on ref=reference" in text


def test_long_lists_are_cut_and_say_so(tmp_path):
    run = Run(
        decisions=[a_decision(f"question {n}") for n in range(30)],
        checks=[check("2", "1", subject=str(n)) for n in range(9)],
        differences=[difference(n, n, f"column {n}", "a", "b") for n in range(1, 20)],
        quarantine=[quarantined(n + 2, reason_code=f"reason_{n}") for n in range(20)],
        deltas=[delta("missing", "1", currency=f"C{n:02}") for n in range(12)],
    )
    text = shown(run.write(tmp_path))
    for said in ("18 surer decisions", "and 5 more", "and 11 more", "14 more reasons", "4 more currencies differ"):
        assert said in text
    assert len(text.splitlines()) < 130


def test_the_next_commands_name_the_run_and_a_difference(tmp_path):
    text = shown(a_full_run().write(tmp_path), out_dir=Path("demo-out"), example_delta="1a2b3c4d-1")
    for said in ("tieout explain 1a2b3c4d-1", "tieout show 1a2b3c4d5e6f", "demo-out/report.html"):
        assert said in text
    assert "--out DIR" not in text


def test_a_clean_run_proposes_no_explanation(tmp_path):
    text = shown(a_clean_run().write(tmp_path))
    assert "TIES OUT" in text
    assert "tieout explain" not in text
    assert "--out DIR" in text


def test_matching_says_how_and_where_every_row_went(tmp_path):
    text = shown(a_full_run().write(tmp_path))
    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert "Same total of a group accepted 1 1 3" in rows
    assert "Similar date, amount and text needs review 2 2 2" in rows
    assert "Ours 40 13 4 0 1" in rows
    assert "Theirs 40 15 2 1 2" in rows
    assert "Searched: all 40 rows of theirs" in rows


def test_an_absent_amount_is_not_zero(tmp_path):
    summary = Run(deltas=[delta("missing", None)]).write(tmp_path)
    summary["deltas"][0]["amount"] = None
    assert "no amount" in shown(summary)


APPLIED = [
    {"kind": "full", "outcome": "auto", "currency": "EUR", "count": 4, "applied": "9980.5"},
    {"kind": "partial", "outcome": "review", "currency": "EUR", "count": 1, "applied": "500"},
]


def test_payments_that_were_applied_are_counted_by_how(tmp_path):
    summary = a_full_run().write(tmp_path)
    assert "Payments applied" not in shown(summary)
    lines = [line.split() for line in shown({**summary, "applications": APPLIED}).splitlines()]
    assert ["In", "full", "accepted", "4", "9,980.50", "EUR"] in lines
    assert ["In", "part,", "the", "rest", "stays", "open", "needs", "review", "1", "500.00", "EUR"] in lines


def test_the_pairs_that_a_reviewer_decided_are_counted(tmp_path):
    summary = a_full_run().write(tmp_path)
    told = shown({**summary, "review": {**summary["review"], "accepted": 3, "rejected": 1}})
    assert "Pairs decided by a reviewer: 3 accepted, 1 rejected." in told


def test_what_would_match_more_names_rules_with_their_option_and_takes_five_lines(tmp_path):
    text = shown(a_full_run().write(tmp_path), 100)
    section = text.partition("What would match more")[2].partition("\n\n")[0].splitlines()[1:]
    assert len(section) <= 5
    assert " ".join(section[0].split()) == "window=7 about 2 rows a side would match: 4,100.55 EUR, 1.00 USD"
    assert "--what-if best" in section[-1]
    assert "What would match more" not in shown(a_clean_run().write(tmp_path / "clean"))
