import json
import os
import re
import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.report.builders import (
    PARTS,
    Run,
    a_clean_run,
    a_decision,
    a_full_run,
    check,
    delta,
    difference,
    match,
    micros,
    quarantined,
    unmatched,
)
from tieout.report import charts, words
from tieout.report.facts import RunFolderIncomplete
from tieout.report.html import MAX_LARGEST, write_report
from tieout.report.saving import ResultNotWritten

VOID = {"meta", "br", "link", "img", "hr", "input", "col"}
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;{{7*7}}\x1b[31m\u202e"


class Page(HTMLParser):
    """A strict reader: tags nest, attributes are collected, tables become lists of rows of cell texts."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.tables, self.texts = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "br":
            self.handle_data(" ")
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in {"td", "th"}:
            self.tables[-1][-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data

    def table(self, head):
        """The rows below the head of the first table whose head begins with these words."""
        for table in self.tables:
            if [cell.strip() for cell in table[0]][: len(head)] == head:
                return [[" ".join(cell.split()) for cell in row] for row in table[1:]]
        raise AssertionError(head)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def report(run, tmp_path, **more):
    summary = run.write(tmp_path / "run")
    write_report(tmp_path / "run", summary, tmp_path / "report.html", **more)
    return Page((tmp_path / "report.html").read_text(encoding="utf-8")), summary


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    page, summary = report(a_full_run(), folder)
    return page, summary, folder


@pytest.mark.parametrize("make", [a_full_run, a_clean_run, Run])
def test_the_page_is_well_formed_and_stands_alone(make, tmp_path):
    page, _ = report(make(), tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", text)
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & set(page.tags)
    for tag, name, value in page.attributes:
        assert name not in {"src", "srcset", "action", "formaction", "background", "xlink:href"}
        assert not name.startswith("on")
        if name == "href":
            assert (tag, value[0]) == ("a", "#")


@pytest.mark.parametrize("make", [a_full_run, a_clean_run, Run])
def test_the_page_can_be_read_aloud(make, tmp_path):
    page, _ = report(make(), tmp_path)
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.tags.count("caption") == page.tags.count("table")
    assert page.tags.count("figcaption") == page.tags.count("figure") == page.tags.count("svg")
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    told = [value for tag, name, value in page.attributes if tag == "svg" and name == "aria-labelledby"]
    assert len(told) == page.tags.count("svg")
    links = [value[1:] for tag, name, value in page.attributes if tag == "a" and name == "href"]
    assert set(told) | set(links) <= set(ids)
    assert ("html", "lang", "en") in page.attributes


def test_the_money_table_says_what_the_balance_says(full):
    page, _, folder = full
    rows = page.table(["Currency", "Expected (ours)"])
    facts = pq.read_table(folder / "run/balance.parquet").to_pylist()
    assert rows == [
        [
            fact["currency"],
            words.money_of_micros(fact["expected_micros"]),
            words.money_of_micros(fact["reported_micros"]),
            words.money_of_micros(fact["expected_micros"] - fact["reported_micros"], sign=True),
            words.money_of_micros(fact["tolerated_micros"]),
        ]
        for fact in facts
    ]


def test_the_parts_on_the_page_add_up_to_the_difference(full):
    page, _, folder = full
    rows = page.table(["Part", "EUR", "USD"])
    for place in (1, 2):
        amounts = [Decimal(row[place].replace(",", "")) for row in rows]
        assert sum(amounts[:-1]) == amounts[-1]
    facts = {fact["currency"]: fact for fact in pq.read_table(folder / "run/balance.parquet").to_pylist()}
    shown = {row[0]: row[1:] for row in rows}
    for part in PARTS:
        label = f"{words.PART_WORDS[part]} {words.PART_MEANINGS[part]}"
        expected = [words.money_of_micros(facts[code][f"{part}_micros"], sign=True) for code in ("EUR", "USD")]
        assert shown[label] == expected


def test_the_largest_differences_name_amount_rows_day_and_reason(full):
    page, _, folder = full
    facts = pq.read_table(folder / "run/delta.parquet").to_pylist()
    rows = [row for table in page.tables for row in table if row and row[0].startswith(("Missing on", "Reported too"))]
    shown = {" ".join(row[0].split()): [" ".join(cell.split()) for cell in row[1:]] for row in rows if len(row) == 6}
    for fact in facts:
        if fact["kind"] in {"missing", "underpay", "overpay"}:
            row = shown[f"{words.KIND_WORDS[fact['kind']]} {fact['delta_id']}"]
            assert row[0] == words.money_of_micros(fact["amount_micros"], sign=True)
            assert row[1:3] == [str(fact[side] or "") for side in ("ours_row", "theirs_row")]
            assert row[3] == str(fact["day"] or "")
            assert row[4].startswith(words.explain_delta(fact))


def test_differences_are_largest_first_inside_their_currency(full):
    page, _, _ = full
    tables = [table for table in page.tables if table[0][:1] == ["Difference"]]
    assert len(tables) == 2
    for table in tables:
        amounts = [abs(Decimal(row[1].replace(",", ""))) for row in table[1:] if row[1]]
        assert amounts == sorted(amounts, reverse=True)


def test_counts_on_the_page_are_those_of_the_facts(full):
    page, _, folder = full
    matched = page.table(["Matched by", "Outcome"])
    facts = pq.read_table(folder / "run/match.parquet").to_pylist()
    assert matched[-1] == [
        "All",
        "",
        str(len({fact["match_id"] for fact in facts})),
        str(len({fact["ours_row"] for fact in facts})),
        str(len({fact["theirs_row"] for fact in facts})),
    ]
    kinds = page.table(["Kind", "Currency"])
    assert sum(int(row[2]) for row in kinds) == pq.read_metadata(folder / "run/delta.parquet").num_rows
    quarantine = page.table(["Side", "Reason"])
    assert sum(int(row[2]) for row in quarantine) == pq.read_metadata(folder / "run/quarantine.parquet").num_rows


def test_payments_that_were_applied_stand_on_the_page_by_how(tmp_path):
    summary = a_full_run().write(tmp_path / "run")
    applied = {"kind": "short_payment", "outcome": "auto", "currency": "EUR", "count": 2, "applied": "2556"}
    write_report(tmp_path / "run", {**summary, "applications": [applied]}, tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.table(["Applied", "Outcome"]) == [["Short, with a deduction", "accepted", "2", "2,556.00", "EUR"]]


def test_a_match_to_review_shows_what_is_alike_and_what_is_not(full):
    page, _, _ = full
    rows = page.table(["Our row", "Their row", "Confidence"])
    assert rows == [
        ["23", "24", "71%", "", ""],
        [
            "22",
            "25",
            "62%",
            "date 50%, amount 100%, text 42% 2 other candidates",
            "memo: ACME Holding Ltd and Holding ACME",
        ],
    ]


def test_rows_that_await_review_bring_their_amounts_where_the_run_has_them(tmp_path):
    run = Run(
        matches=[match(1, 2, outcome="review", confidence=0.6, **{"pass": "scored"})],
        unmatched_ours=[unmatched("ours", 1, "10.00", "review", text="one")],
        unmatched_theirs=[unmatched("theirs", 2, "11.00", "review", text="two")],
    )
    page, _ = report(run, tmp_path)
    row = page.table(["Our row", "Their row", "Confidence"])[0]
    assert row[4] == "2026-03-31 · 10.00 · one and 2026-03-31 · 11.00 · two"
    assert "Every row of ours has a counterpart." in page.text


def test_unmatched_rows_say_which_population_was_searched(full):
    page, _, _ = full
    rows = page.table(["Row", "Day", "Amount"])
    assert rows[0] == [
        "12",
        "2026-03-31",
        "4,100.55 EUR",
        "R12 · Müller & Söhne, Köln",
        "No counterpart found reference among all 40 rows of theirs",
    ]
    assert "no amount" in [row[2] for row in rows]
    assert "Searched: all 40 rows of theirs" in page.text


def test_duplicates_checks_and_quarantine_are_listed_with_their_place(full):
    page, _, _ = full
    assert page.table(["Side", "Row", "Day"]) == [["Theirs", "33", "2026-03-31", "210.00 EUR", "R33"]]
    failed = page.table(["File", "Check"])
    assert len(failed) == 1
    assert failed[0][2:] == ["5,400.00 EUR", "5,310.45", "+89.55"]
    refused = page.table(["File", "Line", "Row"])
    assert [row[:3] for row in refused] == [
        ["Ours ours.csv", "5", "4"],
        ["Theirs theirs.csv", "10", "9"],
        ["Theirs theirs.csv", "17", "16"],
    ]


def test_decisions_inputs_and_replay_are_on_the_page(full):
    page, summary, _ = full
    assert [row[0] for row in page.table(["Sure", "Question"])] == ["58%", "97%", "99%"]
    assert page.table(["Role", "Ours", "Theirs"])[0] == ["Key", "ref", "reference"]
    assert [row[5] for row in page.table(["Side", "File", "Format"])] == [
        summary["ours"]["artifact"],
        summary["theirs"]["artifact"],
    ]
    assert dict(page.table(["File", "SHA-256"])) == summary["digests"]
    assert "tieout replay 1a2b3c4d5e6f" in page.text
    assert "tieout explain 1a2b3c4d-1" in page.text


def test_a_clean_run_says_so_and_has_no_list_of_differences(tmp_path):
    page, _ = report(a_clean_run(), tmp_path)
    assert "The two sides tie out" in page.text
    assert "There are no differences." in page.text
    assert "svg" not in page.tags


def test_text_of_strangers_is_text(tmp_path):
    run = Run(
        ours_name=HOSTILE,
        theirs_name=HOSTILE,
        matches=[match(3, 3, outcome="review", confidence=0.6, **{"pass": HOSTILE})],
        deltas=[
            delta("missing", "5", ours_row=1, currency=HOSTILE),
            delta(HOSTILE, "5", ours_row=2, reason_code=HOSTILE),
            delta("value_mismatch", "0", ours_row=4, reason_code="columns:" + HOSTILE),
        ],
        unmatched_ours=[
            unmatched("ours", 1, "5", text=HOSTILE, ref=HOSTILE, searched=HOSTILE, currency=HOSTILE),
            unmatched("ours", 9, "5", "duplicate", text=HOSTILE, ref=HOSTILE),
        ],
        differences=[difference(3, 3, HOSTILE, HOSTILE, HOSTILE)],
        quarantine=[quarantined(2, file=HOSTILE, column=HOSTILE, reason_code=HOSTILE, reason=HOSTILE, raw=HOSTILE)],
        checks=[check("1", "2", file=HOSTILE, name=HOSTILE, subject=HOSTILE, currency=HOSTILE, message=HOSTILE)],
        decisions=[a_decision(HOSTILE, choice=HOSTILE, evidence=HOSTILE, option=HOSTILE)],
    )
    summary = run.write(tmp_path / "run")
    summary["ours"]["notes"] = [HOSTILE]
    summary["searched"] = summary["run_id"] = summary["ours"]["format"] = summary["ours"]["artifact"] = HOSTILE
    summary["digests"] = {HOSTILE: HOSTILE}
    summary["plan"]["ours"] = {HOSTILE: [HOSTILE]}
    summary["plan"][HOSTILE] = {HOSTILE: HOSTILE}
    write_report(tmp_path / "run", summary, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "<script" not in text
    assert "<img" not in text
    assert "49" not in {part for part in re.findall(r"\{*49\}*", text) if "{" in part}
    assert "{{7*7}}" in text
    assert not set(text) & {"\x1b", "\u202e"}
    assert not any(name.startswith("on") for _, name, _ in page.attributes)
    assert text.count("&lt;script&gt;") > 30


def test_the_same_run_gives_the_same_bytes(tmp_path):
    summary = a_full_run().write(tmp_path / "run")
    write_report(tmp_path / "run", summary, tmp_path / "one.html")
    charts.render_svg(charts.empty_picture("something drawn in between"))
    write_report(tmp_path / "run", summary, tmp_path / "two.html")
    program = (
        "import sys, json; from pathlib import Path; from tieout.report.html import write_report\n"
        "run, out = map(Path, sys.argv[1:]); write_report(run, json.loads(sys.stdin.read()), out)"
    )
    environment = {**os.environ, "TZ": "America/Los_Angeles", "PYTHONHASHSEED": "7"}
    subprocess.run(
        [sys.executable, "-c", program, tmp_path / "run", tmp_path / "three.html"],
        input=json.dumps(summary, default=str),
        env=environment,
        text=True,
        check=True,
    )
    pages = {(tmp_path / f"{name}.html").read_bytes() for name in ("one", "two", "three")}
    assert len(pages) == 1


def test_long_lists_are_cut_and_say_of_how_many(tmp_path):
    run = Run(
        deltas=[delta("missing", str(n), ours_row=n) for n in range(1, 61)],
        unmatched_ours=[unmatched("ours", n, str(n)) for n in range(1, 61)],
        quarantine=[quarantined(n) for n in range(2, 62)],
    )
    page, _ = report(run, tmp_path)
    assert f"The first {MAX_LARGEST} of 60 differences, largest first; the exports hold all." in page.text
    assert "The first 25 of 60 rows, largest amount first" in page.text
    assert "The first 25 of 60 rows in file order" in page.text
    assert [row[0] for row in page.table(["Row", "Day"])] == [str(n) for n in range(60, 35, -1)]


def test_pictures_show_the_currencies_with_most_differences_and_name_the_rest(tmp_path):
    codes = ["AAA", "BBB", "BBB", "CCC", "DDD", "DDD"]
    page, _ = report(Run(deltas=[delta("missing", "1", currency=code, ours_row=1) for code in codes]), tmp_path)
    headings = re.findall(r"Differences in (\w+)", page.text)
    assert list(dict.fromkeys(headings)) == ["BBB", "DDD", "AAA"]
    assert "Not pictured: CCC." in page.text
    assert {row[0] for row in page.table(["Currency", "Expected (ours)"])} == set(codes)


@pytest.mark.parametrize(
    ("as_of", "buckets"),
    [
        (None, "0-1 days: 1 item, 1.00 too little and 0.00 too much; Over 90 days: 1 item"),
        (date(2026, 1, 12), "Later days: 1 item, 1.00 too little and 0.00 too much; 8-30 days: 1 item"),
    ],
)
def test_open_items_are_aged_against_the_day_given_or_the_latest_in_the_data(as_of, buckets, tmp_path):
    run = Run(deltas=[delta("missing", "1"), delta("unexpected", "-2", day=date(2026, 3, 31) - timedelta(days=90))])
    run.deltas[1]["day"] = date(2025, 12, 30)
    page, _ = report(run, tmp_path, as_of=as_of)
    assert f"on {as_of or '2026-03-31'}" in page.text
    assert buckets in page.text


@pytest.mark.parametrize(
    ("days", "bucket"),
    [
        (0, "0-1"),
        (1, "0-1"),
        (2, "2-7"),
        (7, "2-7"),
        (8, "8-30"),
        (30, "8-30"),
        (31, "31-90"),
        (90, "31-90"),
        (91, "Over 90"),
    ],
)
def test_age_buckets_hold_their_first_and_last_day(days, bucket, tmp_path):
    run = Run(deltas=[delta("missing", "1", day=date(2026, 6, 30) - timedelta(days=days))])
    page, _ = report(run, tmp_path, as_of=date(2026, 6, 30))
    assert f"{bucket} days: 1 item" in page.text


@pytest.mark.parametrize(("span", "unit"), [(92, "day"), (93, "week"), (700, "week"), (701, "month"), (3601, "year")])
def test_long_spans_are_summed_by_week_month_or_year(span, unit, tmp_path):
    first = date(2015, 1, 1)
    deltas = [delta("missing", "1", day=first + timedelta(days=n)) for n in (0, span // 2, span)]
    page, _ = report(Run(deltas=deltas), tmp_path)
    assert f"Differences by {unit}, expected less reported, " in page.text


def test_what_has_no_date_is_said_beside_the_picture_by_day(tmp_path):
    page, _ = report(Run(deltas=[delta("missing", "1"), delta("missing", "2.5", day=None)]), tmp_path)
    assert "Without a date: 2.50." in page.text


def test_dates_at_the_ends_of_the_calendar_can_be_reported(tmp_path):
    days = [date(1, 1, 1), date(9999, 12, 31)]
    page, _ = report(Run(deltas=[delta("missing", "1", day=day) for day in days]), tmp_path)
    assert "Differences by year" in page.text


def test_amounts_at_the_ends_of_the_range_are_exact(tmp_path):
    largest = str(Decimal(2**63 - 1).scaleb(-6))
    rows = [delta("missing", largest, ours_row=n) for n in (1, 2, 3)]
    page, _ = report(Run(deltas=rows, totals={"EUR": ("9999999999999999999999.000001", "0")}), tmp_path)
    assert "9,999,999,999,999,999,999,999.000001" in page.text
    assert words.money(3 * Decimal(largest), sign=True) in page.text
    assert micros(largest) == 2**63 - 1


def test_a_run_folder_with_pattern_letters_is_read_as_it_is_named(tmp_path):
    strange = tmp_path / "run [1]*? {a}"
    summary = a_full_run().write(strange)
    write_report(strange, summary, tmp_path / "report.html")
    assert "11 differences found" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_run_that_lacks_a_file_is_refused(tmp_path):
    summary = a_full_run().write(tmp_path)
    (tmp_path / "delta.parquet").unlink()
    with pytest.raises(RunFolderIncomplete, match=r"delta\.parquet"):
        write_report(tmp_path, summary, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path):
    summary = a_full_run().write(tmp_path / "run")
    target = tmp_path / "report.html"
    target.mkdir()
    with pytest.raises(ResultNotWritten, match=r"report\.html could not be written"):
        write_report(tmp_path / "run", summary, target)
    assert [path.name for path in tmp_path.iterdir() if path.name != "run"] == ["report.html"]
    assert Path(target).is_dir()
