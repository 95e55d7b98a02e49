import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.intake.source_builders import FUTURE, Desk, statement
from tests.store.builders import LATER
from tieout.core.errors import TieoutError
from tieout.intake.reading import Limits
from tieout.intake.sources.actions import KeyNotUnique, RestatementUnsettled, SourceKeyDiffers
from tieout.intake.sources.current import (
    NotAnInstant,
    SourceEmpty,
    covered_days,
    list_quarantined,
    list_superseded,
    resolve_source,
)
from tieout.intake.sources.days import SourceColumnMissing
from tieout.intake.sources.projection import ReservedColumn
from tieout.intake.sources.staging import HeaderDiffers
from tieout.intake.sources.steps import SourceStepBroken, load_step
from tieout.store.artifacts import FileMissing
from tieout.store.sources import BadSourceName, LoadFilesGone, SourceUnknown
from tieout.store.sweep import sweep

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parent / "data"

COFFEE = "2024-01-01,coffee,3"
TEA = "2024-01-02,tea,2"
JUICE = "2024-01-03,juice,4"
CAKE = "2024-01-04,cake,5"


@pytest.fixture
def desk(tmp_path):
    opened = Desk(tmp_path / "data")
    yield opened
    opened.store.close()


def counts_of(done):
    return (done.counts.added, done.counts.known, done.counts.superseded, done.counts.quarantined)


# Loading


def test_a_first_load_keeps_the_file_its_receipt_and_its_rows_as_text(desk):
    path = desk.file(statement(" 2024-01-01 ,coffee,007", "2024-01-02,,2"), "march.csv")
    done = desk.load_one(path)
    assert (done.file, done.outcome, done.seq, counts_of(done)) == ("march.csv", "loaded", 1, (2, 0, 0, 0))
    assert desk.table()[:2] == (
        ("Date", "Memo", "Amount"),
        [("2024-01-01", "coffee", "007"), ("2024-01-02", None, "2")],
    )
    [receipt] = desk.store.artifacts.list_receipts()
    [kept] = desk.store.sources.get_source("bank").loads
    assert (receipt.name, receipt.artifact_id) == ("march.csv", kept.draft.artifact_id)
    assert desk.store.artifacts.get(receipt.artifact_id).path.read_bytes() == path.read_bytes()
    assert (kept.loaded_by, kept.draft.columns, kept.draft.date_column) == ("ann", ("Date", "Memo", "Amount"), "Date")


def test_loading_the_same_file_twice_adds_nothing_and_is_not_recorded_as_a_load(desk):
    desk.load(statement(COFFEE, TEA))
    before = desk.everything()
    again = desk.load_one(statement(COFFEE, TEA))
    assert (again.outcome, again.seq, again.counts.added) == ("already_loaded", 1, 0)
    assert len(desk.store.sources.get_source("bank").loads) == 1
    assert desk.everything() == before
    assert len(desk.store.artifacts.list_receipts()) == 2


def test_an_overlapping_statement_adds_only_its_new_rows(desk):
    desk.load(statement(COFFEE, TEA))
    done = desk.load_one(statement(TEA, JUICE))
    assert counts_of(done) == (1, 1, 0, 0)
    assert desk.rows() == [COFFEE, TEA, JUICE]


def test_a_file_whose_rows_are_all_there_is_on_record_and_adds_nothing(desk):
    desk.load(statement(COFFEE, TEA, JUICE))
    done = desk.load_one(statement(TEA))
    assert (done.outcome, done.seq, counts_of(done)) == ("nothing_new", 2, (0, 1, 0, 0))
    assert desk.rows() == [COFFEE, TEA, JUICE]


def test_a_line_of_delimiters_far_down_a_file_is_no_row(desk):
    rows = [f"2024-01-01,coffee {n},3" for n in range(30_000)]
    done = desk.load_one(statement(*rows[:20_000], ",,", *rows[20_000:]))
    assert counts_of(done) == (30_000, 0, 0, 0)


def test_two_equal_coffees_on_one_day_stay_two_rows_and_an_overlap_that_holds_both_adds_none(desk):
    desk.load(statement(COFFEE, COFFEE, TEA))
    assert counts_of(desk.load_one(statement(COFFEE, COFFEE, TEA, JUICE))) == (1, 3, 0, 0)
    assert desk.rows() == [COFFEE, COFFEE, TEA, JUICE]


def test_a_third_coffee_is_a_new_row(desk):
    desk.load(statement(COFFEE, COFFEE))
    assert counts_of(desk.load_one(statement(COFFEE, COFFEE, COFFEE))) == (1, 2, 0, 0)
    assert desk.rows() == [COFFEE] * 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (statement("2024-01-01,coffee,3"), statement("  2024-01-01,coffee\t, 3")),
        (statement("2024-01-01,coffee,3"), "Date;Memo;Amount\n2024-01-01;coffee;3\n"),
        (statement("2024-01-01,coffee,3"), "Amount,Date,Memo\n3,2024-01-01,coffee\n"),
        (statement("2024-01-01,coffee,3"), "date,MEMO,Amount,Note\n2024-01-01,coffee,3,\n"),
        (statement("2024-01-01,caf\u00e9,3"), statement("2024-01-01,caf\u00e9,3").encode("utf-16")),
    ],
    ids=["spaces", "delimiter", "order of columns", "case of names and an empty column", "encoding"],
)
def test_a_row_is_the_same_row_however_the_file_is_written(desk, one, other):
    desk.load(one)
    assert counts_of(desk.load_one(desk.file(other, "other.csv"))) == (0, 1, 0, 0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2024-01-01,ab,c", "2024-01-01,a,bc"),
        ("2024-01-01,a,", "2024-01-01,,a"),
        ("2024-01-01,3:x,y", "2024-01-01,3,x:y"),
        ("2024-01-01,Coffee,3", "2024-01-01,coffee,3"),
    ],
)
def test_rows_that_only_look_alike_are_two(desk, one, other):
    desk.load(statement(one))
    assert desk.load_one(statement(other), mode="add").counts.added == 1


def test_the_same_cells_in_another_column_are_another_row(desk):
    header = "Date,Memo,Note"
    desk.load(statement("2024-01-01,a,", header=header))
    assert desk.load_one(statement("2024-01-01,,a", header=header), mode="add").counts.added == 1


def test_rows_come_by_day_and_then_by_identity_whatever_the_order_of_the_file(desk):
    rows = [CAKE, TEA, COFFEE, "2024-01-02,milk,1", ",no day,9", JUICE]
    desk.load(statement(*rows), source="one")
    desk.load(statement(*reversed(rows)), source="two")
    assert desk.table("@one") == desk.table("@two")
    assert [row[:10] for row in desk.rows("@one")][1:] == sorted(row[:10] for row in rows if row[0] != ",")
    assert desk.rows("@one")[0] == ",no day,9"


# Restating


def test_a_file_that_lacks_rows_of_days_that_it_covers_is_refused_with_rows_days_files_and_both_ways_out(desk):
    desk.load(desk.file(statement(COFFEE, COFFEE, TEA, JUICE), "march.csv"))
    before = desk.everything()
    with pytest.raises(RestatementUnsettled) as refused:
        desk.load(desk.file(statement(COFFEE, "2024-01-02,tea,1", CAKE), "again.csv"))
    message = str(refused.value)
    for words in (
        "again.csv covers 2024-01-01 to 2024-01-04",
        "lacks 3 rows",
        "1 on 2024-01-01, 1 on 2024-01-02, 1 on 2024-01-03",
        "march.csv (load 1: 3)",
        "--restate",
        "--add",
    ):
        assert words in message
    assert refused.value.exit_code == 20
    kept = {name: content for name, content in desk.everything().items() if not name.startswith("artifacts")}
    assert kept == {name: content for name, content in before.items() if not name.startswith("artifacts")}
    assert desk.rows() == [COFFEE, COFFEE, TEA, JUICE]


def test_a_restatement_supersedes_what_it_lacks_on_its_days_and_both_versions_stay_visible(desk):
    desk.load(statement(COFFEE, TEA, JUICE, CAKE))
    corrected = "2024-01-02,tea,1"
    done = desk.load_one(statement(corrected, JUICE), mode="restate")
    assert counts_of(done) == (1, 1, 1, 0)
    assert desk.rows() == [COFFEE, corrected, JUICE, CAKE]
    loads = desk.store.sources.get_source("bank").loads
    [superseded] = loads[1].draft.superseded
    assert (superseded.load, superseded.rows, superseded.first_day) == (1, 1, "2024-01-02")
    shown = list_superseded(desk.settings, desk.store.sources, loads, desk.data_dir.parent / "scratch", limit=10)
    assert shown.total == 1
    assert shown.rows[0] == {
        "superseded_by": 2,
        "reason": "restated",
        "load": 1,
        "row": 2,
        "line": None,
        "day": date(2024, 1, 2),
        "cells": {"Date": "2024-01-02", "Memo": "tea", "Amount": "2"},
    }


def test_a_restatement_supersedes_rows_of_a_day_in_its_period_on_which_it_has_none(desk):
    desk.load(statement(COFFEE, TEA, JUICE))
    desk.load(statement(COFFEE, JUICE), mode="restate")
    assert desk.rows() == [COFFEE, JUICE]


def test_days_outside_the_period_of_a_file_are_not_its_business(desk):
    desk.load(statement(COFFEE, CAKE))
    assert counts_of(desk.load_one(statement(TEA, JUICE))) == (2, 0, 0, 0)
    assert desk.rows() == [COFFEE, TEA, JUICE, CAKE]


def test_a_part_keeps_the_rows_that_it_lacks(desk):
    desk.load(statement(COFFEE, TEA))
    done = desk.load_one(statement("2024-01-01,milk,1", JUICE), mode="add")
    assert counts_of(done) == (2, 0, 0, 0)
    assert sorted(desk.rows()) == sorted([COFFEE, TEA, "2024-01-01,milk,1", JUICE])


def test_rows_without_a_day_are_covered_by_a_file_that_has_such_rows(desk):
    pending = ",pending,1"
    desk.load(statement(COFFEE, pending))
    assert desk.load_one(statement(TEA)).outcome == "loaded"
    with pytest.raises(RestatementUnsettled, match="1 without a day"):
        desk.load(statement(TEA, ",other,2"))
    desk.load(statement(TEA, ",other,2"), mode="restate")
    assert desk.rows() == [",other,2", COFFEE, TEA]


def test_without_any_column_of_days_a_second_file_needs_a_word_from_the_user(desk):
    done = desk.load_one(statement("a,1", "b,2", header="Name,Value"))
    assert done.day is None
    with pytest.raises(RestatementUnsettled, match="covers rows without a day, and lacks 2 rows"):
        desk.load(statement("c,3", header="Name,Value"))
    desk.load(statement("c,3", header="Name,Value"), mode="add")
    assert sorted(desk.rows()) == ["a,1", "b,2", "c,3"]


def test_a_row_that_comes_back_after_it_was_superseded_is_current_again(desk):
    desk.load(statement(COFFEE, TEA, JUICE))
    desk.load(statement(COFFEE, JUICE), mode="restate")
    done = desk.load_one(statement(COFFEE, TEA, JUICE, CAKE))
    assert counts_of(done) == (2, 2, 0, 0)
    assert desk.rows() == [COFFEE, TEA, JUICE, CAKE]
    desk.load(statement(COFFEE, JUICE, CAKE), mode="restate")
    assert desk.rows() == [COFFEE, JUICE, CAKE]


def test_going_back_to_an_earlier_version_is_a_restatement_with_the_earlier_file(desk):
    first, second = statement(COFFEE, TEA), statement(COFFEE, "2024-01-02,tea,1")
    desk.load(first)
    desk.load(second, mode="restate")
    assert desk.load_one(first).outcome == "already_loaded"
    assert desk.rows() == [COFFEE, "2024-01-02,tea,1"]
    assert counts_of(desk.load_one(first, mode="restate")) == (1, 1, 1, 0)
    assert desk.rows() == [COFFEE, TEA]
    assert desk.load_one(first, mode="restate").outcome == "already_loaded"
    assert len(desk.store.sources.get_source("bank").loads) == 3


# Keys


def test_with_a_key_a_changed_row_supersedes_the_one_before_without_being_asked(desk):
    desk.load(statement(COFFEE, TEA), key=("Memo",))
    done = desk.load_one(statement("2024-01-02,tea,9", JUICE))
    assert (counts_of(done), done.changed) == ((2, 0, 1, 0), 1)
    assert desk.rows() == [COFFEE, "2024-01-02,tea,9", JUICE]
    loads = desk.store.sources.get_source("bank").loads
    shown = list_superseded(desk.settings, desk.store.sources, loads, desk.data_dir.parent / "scratch", limit=10)
    assert [(row["reason"], row["cells"]["Amount"]) for row in shown.rows] == [("changed", "2")]


def test_with_a_key_a_row_may_change_its_day(desk):
    desk.load(statement(COFFEE, TEA), key=("memo",))
    desk.load(statement("2024-02-01,coffee,3"))
    assert desk.rows() == [TEA, "2024-02-01,coffee,3"]


def test_a_row_that_is_gone_is_asked_about_with_a_key_too(desk):
    desk.load(statement(COFFEE, TEA, JUICE), key=("Memo",))
    with pytest.raises(RestatementUnsettled, match="lacks 1 row "):
        desk.load(statement(COFFEE, "2024-01-03,juice,9"))


def test_a_key_that_repeats_within_a_file_is_refused_with_the_rows(desk):
    with pytest.raises(KeyNotUnique, match=r"Memo does not identify a row of .* 1 values .* in rows 1 and 3"):
        desk.load(statement(COFFEE, TEA, "2024-01-05,coffee,1"), key=("Memo",))
    assert desk.store.sources.find_source("bank") is None


def test_a_row_without_a_key_goes_to_quarantine(desk):
    done = desk.load_one(statement(COFFEE, "2024-01-02,,2"), key=("Memo",))
    assert counts_of(done) == (1, 0, 0, 1)
    [refused] = quarantine(desk)
    assert (refused["row_no"], refused["line"], refused["reason_code"], refused["column"]) == (2, 3, "no_key", "Memo")


def test_the_key_of_a_source_cannot_change(desk):
    desk.load(statement(COFFEE), key=("Memo",))
    desk.load(statement(TEA), key=("MEMO",))
    with pytest.raises(SourceKeyDiffers, match="identified by Memo, not by Amount"):
        desk.load(statement(JUICE), key=("Amount",))
    desk.load(statement(COFFEE), source="other")
    with pytest.raises(SourceKeyDiffers, match="by their whole content"):
        desk.load(statement(TEA), source="other", key=("Memo",))


def test_a_key_that_the_file_lacks_is_named_with_the_columns_that_it_has(desk):
    with pytest.raises(SourceColumnMissing, match="has no column 'Nr'.*Date, Memo, Amount"):
        desk.load(statement(COFFEE), key=("Nr",))


# Columns


def test_new_columns_are_empty_before_and_missing_ones_empty_after(desk):
    desk.load(statement(COFFEE))
    done = desk.load_one("Date,Amount,Currency\n2024-01-02,2,EUR\n")
    assert (done.new_columns, done.missing_columns) == (("Currency",), ("Memo",))
    assert desk.table()[:2] == (
        ("Date", "Memo", "Amount", "Currency"),
        [("2024-01-01", "coffee", "3", None), ("2024-01-02", None, "2", "EUR")],
    )


def test_a_column_that_no_row_fills_is_still_a_column_of_the_source(desk):
    desk.load("Date,Memo,Note\n2024-01-01,coffee,\n")
    assert desk.table()[:2] == (("Date", "Memo", "Note"), [("2024-01-01", "coffee", None)])
    desk.load("Date,Memo,Note,More\n2024-01-01,coffee,,\n")
    assert desk.table()[0] == ("Date", "Memo", "Note", "More")


def test_a_wholly_different_header_is_refused_with_the_difference(desk):
    desk.load(statement(COFFEE))
    with pytest.raises(HeaderDiffers, match="The source has 'Date', 'Memo', 'Amount'; the file has 'sku', 'qty'"):
        desk.load("sku,qty\nA,1\nB,2\n")
    assert desk.load_one("sku,qty\nA,1\nB,2\n", source="stock").counts.added == 2


def test_a_column_with_a_name_of_ours_is_refused(desk):
    with pytest.raises(ReservedColumn, match="'__Day'"):
        desk.load("Date,__Day\n2024-01-01,1\n2024-01-02,2\n")


@pytest.mark.parametrize("name", ['say "hi"', "it's", "a;b", "select", "s", "run", "load", "content", "\u00fcber 100%"])
def test_any_name_of_a_column_is_taken_as_it_is(desk, name):
    table = pa.table({"Date": ["2024-01-01", "2024-01-02"], name: ["x", "y"]})
    path = desk.file("", "named.parquet")
    pq.write_table(table, path)
    desk.load(path)
    assert desk.table()[:2] == (("Date", name), [("2024-01-01", "x"), ("2024-01-02", "y")])
    desk.load(statement("2024-01-02,z", header="Date,other"), mode="restate")
    assert desk.table()[1] == [("2024-01-01", "x", None), ("2024-01-02", None, "z")]


# Quarantine and formats


def quarantine(desk, source="bank"):
    loads = desk.store.sources.get_source(source).standing()
    scratch = desk.data_dir.parent / "scratch"
    return list_quarantined(desk.settings, desk.store.sources, loads, scratch, limit=100).rows


def test_refused_rows_are_in_quarantine_with_reason_file_and_line(desk):
    text = statement(COFFEE, "2024-01-02,tea", '2024-02-31,"ju,ice",4', "2024-01-04,cake,5")
    done = desk.load_one(desk.file(text, "march.csv"))
    assert counts_of(done) == (2, 0, 0, 2)
    found = [(row["load"], row["file"], row["line"], row["reason_code"]) for row in quarantine(desk)]
    assert found == [(1, "march.csv", 3, "ragged_row"), (1, "march.csv", 4, "bad_date")]
    assert desk.rows() == [COFFEE, CAKE]


def test_a_row_that_a_plain_file_hides_behind_quotes_is_found_by_its_line(desk):
    text = statement('2024-01-01,"two\nlines",3', "2024-02-31,juice,4", CAKE, JUICE)
    desk.load(text)
    [refused] = quarantine(desk)
    assert (refused["row_no"], refused["line"], refused["raw"]) == (2, 4, "2024-02-31,juice,4")
    assert "2024-02-31 is no day" in refused["reason"]


def test_a_file_of_refused_rows_only_is_on_record(desk):
    desk.load(statement(COFFEE), key=("Memo",))
    done = desk.load_one(statement("2024-01-02,,2"))
    assert (done.outcome, done.seq, counts_of(done)) == ("nothing_new", 2, (0, 0, 0, 1))
    assert [(row["load"], row["reason_code"]) for row in quarantine(desk)] == [(2, "no_key")]
    assert desk.rows() == [COFFEE]


def test_a_file_in_which_no_day_can_be_read_is_refused(desk):
    desk.load(statement(COFFEE))
    with pytest.raises(TieoutError) as refused:
        desk.load(statement("2024-02-31,juice,4"))
    assert refused.value.code == "dates_do_not_fit"


def test_a_bank_statement_is_loaded_as_its_reader_gives_it(desk):
    done = desk.load_one(DATA / "bank/mt940/jejik/abnamro.sta")
    assert (done.outcome, done.day.name) == ("loaded", "booking_date")
    columns, rows, _ = desk.table()
    assert {"account", "amount", "currency", "booking_date"} <= set(columns)
    assert len(rows) == done.counts.added > 0
    assert desk.load_one(DATA / "bank/mt940/jejik/abnamro.sta").outcome == "already_loaded"


def test_a_statement_whose_balances_do_not_tie_says_so(desk):
    done = desk.load_one(DATA / "bank/camt/camt053.v2.minimal.xml")
    assert any("not explained by its entries" in note for note in done.notes)


def test_typed_columns_of_parquet_become_text_without_loss(desk):
    table = pa.table(
        {
            "day": pa.array([date(2024, 1, 1), date(2024, 1, 2)], pa.date32()),
            "amount": pa.array(["1.10", "-20.00"]).cast(pa.decimal128(10, 2)),
            "count": pa.array([1.0, 2.5]),
            "id": pa.array([9007199254740993, None], pa.int64()),
        }
    )
    path = desk.file("", "typed.parquet")
    pq.write_table(table, path)
    done = desk.load_one(path)
    assert (done.first_day, done.last_day) == (date(2024, 1, 1), date(2024, 1, 2))
    assert desk.rows() == ["2024-01-01,1.10,1,9007199254740993", "2024-01-02,-20.00,2.5,"]


def test_limits_of_an_upload_hold(desk):
    with pytest.raises(TieoutError) as refused:
        desk.load(statement(COFFEE, TEA), limits=Limits(max_bytes=10))
    assert refused.value.code == "file_too_large"
    with pytest.raises(TieoutError) as refused:
        desk.load(statement(COFFEE, TEA), limits=Limits(max_rows=1))
    assert refused.value.code == "too_many_rows"
    assert desk.store.sources.list_sources() == ()


@pytest.mark.parametrize("name", ["", ".hidden", "a b", "a/b", "@bank", "a~b", "x" * 65])
def test_a_bad_name_of_a_source_is_refused_before_anything_is_kept(desk, name):
    with pytest.raises(BadSourceName):
        desk.load(statement(COFFEE), source=name)
    assert desk.store.artifacts.list_receipts() == ()


def test_files_before_one_that_fails_stay_loaded(desk):
    with pytest.raises(FileMissing):
        desk.load(statement(COFFEE), desk.data_dir / "nowhere.csv", statement(TEA))
    assert desk.rows() == [COFFEE]


# Dry run


def test_a_dry_run_says_what_would_be_and_stores_nothing(desk):
    desk.load(statement(COFFEE, TEA))
    before = desk.everything()
    coming = [statement(TEA, JUICE), statement(COFFEE, "2024-01-02,tea,1", JUICE)]
    foreseen = desk.load(*coming, mode="restate", is_dry_run=True)
    assert desk.everything() == before
    assert len(desk.store.artifacts.list_receipts()) == 1
    assert [counts_of(one) for one in foreseen] == [(1, 1, 0, 0), (1, 2, 1, 0)]
    assert desk.load(*coming, mode="restate") == foreseen


def test_a_dry_run_shows_what_a_refused_load_lacks_and_stops_there(desk):
    desk.load(statement(COFFEE, TEA, JUICE))
    foreseen = desk.load(statement(COFFEE, JUICE), statement(CAKE), is_dry_run=True)
    assert [one.outcome for one in foreseen] == ["unsettled"]
    lacking = foreseen[0].lacking
    assert (lacking.rows, lacking.days, lacking.day_count) == (1, ((date(2024, 1, 2), 1),), 1)


def test_a_dry_run_into_a_source_that_is_not_there_makes_none(desk):
    assert desk.load_one(statement(COFFEE), is_dry_run=True).counts.added == 1
    assert desk.store.sources.list_sources() == ()


# History


def test_an_undone_load_is_as_if_it_had_not_been_and_stays_on_record(desk):
    desk.load(statement(COFFEE, TEA))
    before = desk.table()
    desk.load(statement(COFFEE, JUICE), mode="restate")
    kept = desk.everything()
    assert desk.undo() == 2
    assert desk.table() == before
    assert desk.everything() == kept
    loads = desk.store.sources.get_source("bank").loads
    assert [(one.seq, one.undone_by) for one in loads] == [(1, None), (2, "ann")]
    assert desk.load_one(statement(COFFEE, JUICE), mode="restate").seq == 3
    assert desk.rows() == [COFFEE, JUICE]


def test_undoing_goes_back_load_by_load_until_there_is_nothing(desk):
    desk.load(statement(COFFEE), statement(TEA))
    assert [desk.undo(), desk.undo(), desk.undo()] == [2, 1, None]
    with pytest.raises(SourceEmpty):
        desk.rows()
    with pytest.raises(SourceUnknown, match="There are: bank"):
        desk.undo("bonk")


def test_a_source_is_read_as_it_was_at_any_instant(desk):
    desk.load(statement(COFFEE, TEA))
    first = desk.clock.instant
    desk.load(statement(COFFEE, JUICE), mode="restate")
    second = desk.clock.instant
    desk.undo()
    third = desk.clock.instant
    desk.load(statement(CAKE))
    assert desk.rows(f"@bank~{first.isoformat()}") == [COFFEE, TEA]
    assert desk.rows(f"@bank~{second.isoformat()}") == [COFFEE, JUICE]
    assert desk.rows(f"@bank~{third.isoformat()}") == [COFFEE, TEA]
    assert desk.rows() == [COFFEE, TEA, CAKE]
    with pytest.raises(SourceEmpty):
        desk.rows(f"@bank~{(first - timedelta(days=1)).isoformat()}")


def test_a_clock_that_went_backwards_does_not_change_what_was(desk):
    desk.load(statement(COFFEE))
    desk.clock.instant += timedelta(days=1)
    then = desk.clock.instant
    desk.load(statement(JUICE))
    desk.clock.instant -= timedelta(days=30)
    desk.load(statement(TEA))
    desk.undo()
    loads = desk.store.sources.get_source("bank").loads
    assert then < loads[1].loaded_at <= loads[2].loaded_at <= loads[2].undone_at
    assert desk.rows(f"@bank~{then.isoformat()}") == [COFFEE]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("@bank~yesterday", NotAnInstant),
        ("@bank~2999-01-01", NotAnInstant),
        ("@bank~", NotAnInstant),
        ("@bonk", SourceUnknown),
        ("@", BadSourceName),
        ("@../bank", BadSourceName),
    ],
)
def test_a_reference_that_cannot_be_resolved_is_an_error(desk, text, error):
    desk.load(statement(COFFEE))
    with pytest.raises(error):
        resolve_source(desk.store, desk.settings, text, desk.data_dir.parent / "scratch", desk.clock())


def test_a_path_is_no_reference(desk):
    assert resolve_source(desk.store, desk.settings, "ledger.csv", desk.data_dir, FUTURE) is None


def test_days_covered_join_where_they_touch_and_leave_gaps_where_they_do_not(desk):
    desk.load(
        statement("2024-01-01,a,1", "2024-01-03,b,1"),
        statement("2024-01-04,c,1"),
        statement("2024-01-09,d,1"),
        statement(",undated,1"),
    )
    loads = desk.store.sources.get_source("bank").loads
    assert covered_days(loads) == (
        (date(2024, 1, 1), date(2024, 1, 4)),
        (date(2024, 1, 9), date(2024, 1, 9)),
    )


def test_files_of_a_load_that_are_gone_are_named(desk):
    desk.load(statement(COFFEE))
    [rows] = desk.store.folders.loads.glob("*/rows.parquet")
    rows.unlink()
    with pytest.raises(LoadFilesGone, match="Load 1 of source bank"):
        desk.rows()


# Tenants


def test_sources_of_tenants_do_not_touch_each_other(desk):
    stranger = Desk(desk.data_dir, "stranger")
    desk.load(statement(COFFEE, TEA))
    stranger.load(statement(COFFEE, JUICE))
    assert (desk.rows(), stranger.rows()) == ([COFFEE, TEA], [COFFEE, JUICE])
    stranger.load(statement(CAKE), source="theirs")
    with pytest.raises(SourceUnknown):
        desk.rows("@theirs")
    assert [one.name for one in desk.store.sources.list_sources()] == ["bank"]
    assert stranger.undo() == 1
    assert desk.rows() == [COFFEE, TEA]
    ids = {load.load_id for one in (desk, stranger) for load in one.store.sources.get_source("bank").loads}
    assert len(ids) == 2
    stranger.store.close()


# Crashes and races

STEPS = (
    "receive",
    "read",
    "take rows",
    "find days",
    "added_row",
    "rows",
    "superseded",
    "rejected",
    "publish",
    "files_written",
    "renamed",
    "before_commit",
)


def child(desk, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.intake.source_loading", str(desk.data_dir), *map(str, words)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("point", [*STEPS, "committed"])
def test_a_load_that_is_killed_leaves_the_old_rows_or_the_new_ones_and_can_be_repeated(desk, point):
    desk.load(statement(COFFEE, TEA, JUICE))
    old = desk.rows()
    path = desk.file(statement(COFFEE, "2024-02-31,x,1", JUICE, CAKE), "next.csv")
    dead = child(desk, "die", point, path)
    _, errors = dead.communicate(timeout=120)
    assert dead.returncode == -9, errors
    new = [COFFEE, JUICE, CAKE]
    assert desk.rows() == (new if point == "committed" else old)
    again = desk.load_one(path, mode="restate")
    assert again.outcome == ("already_loaded" if point == "committed" else "loaded")
    assert desk.rows() == new
    assert [load.seq for load in desk.store.sources.get_source("bank").loads] == [1, 2]
    sweep(desk.store.state, desk.store.folders, now=LATER)
    assert desk.rows() == new
    assert len(list(desk.store.folders.loads.iterdir())) == 2
    assert list(desk.store.folders.incoming.iterdir()) == []


def test_every_point_at_which_a_load_may_die_was_tried(desk):
    desk.load(statement(COFFEE, TEA, JUICE))
    reached = []
    desk.load(
        statement(COFFEE, "2024-02-31,x,1", JUICE, CAKE), mode="restate", on_step=reached.append, at=reached.append
    )
    assert [point for point in reached if point in {*STEPS, "committed"}] == [*STEPS, "committed"]


def test_loads_that_race_into_one_source_take_turns(desk):
    texts = [statement(f"2024-01-0{day},a,1", "2024-01-09,shared,1") for day in range(1, 6)]
    racers = [child(desk, "race", desk.file(text, f"{number}.csv")) for number, text in enumerate(texts)]
    assert [racer.stdout.readline() for racer in racers] == ["ready\n"] * len(racers)
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    errors = [racer.communicate(timeout=180)[1] for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * len(racers), errors
    assert desk.rows() == [*(f"2024-01-0{day},a,1" for day in range(1, 6)), "2024-01-09,shared,1"]
    loads = desk.store.sources.get_source("bank").loads
    assert [load.seq for load in loads] == [1, 2, 3, 4, 5]
    assert sum(load.counts.added for load in loads) == 6


# Steps


SQL = sorted(path.name.removesuffix(".sql") for path in (files("tieout.intake.sources") / "sql").iterdir())


@pytest.mark.parametrize("name", [name for name in SQL if name != "macros"])
def test_every_step_says_what_it_yields_and_why(name):
    step = load_step(name)
    assert step.columns
    assert step.form in {"table", "fact", "check"}


def test_a_step_whose_file_is_not_its_name_is_a_fault():
    with pytest.raises((SourceStepBroken, FileNotFoundError)):
        load_step("nowhere")


# Properties

DAYS = [date(2024, 1, 1) + timedelta(days=n) for n in range(6)]
MEMOS = ["coffee", "tea"]
ROW = st.builds(lambda day, memo: f"{day},{memo},3", st.sampled_from(DAYS), st.sampled_from(MEMOS))
ROWS = st.lists(ROW, min_size=1, max_size=10)
WORLD = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def splits(draw):
    """A statement, and files of it in which every group of equal rows is whole at least once."""
    whole = draw(ROWS)
    count = draw(st.integers(1, 4))
    parts = [[row for row in whole if draw(st.booleans())] for _ in range(count)]
    for content, times in sorted(Counter(whole).items()):
        part = parts[draw(st.integers(0, count - 1))]
        part[:] = [row for row in part if row != content] + [content] * times
    return whole, [draw(st.permutations(part)) for part in parts if part]


@WORLD
@given(split=splits())
def test_any_parts_of_a_statement_in_any_order_give_the_rows_of_the_whole(tmp_path_factory, split):
    whole, parts = split
    desk = Desk(tmp_path_factory.mktemp("world") / "data")
    desk.load(statement(*whole), source="whole")
    for part in parts:
        desk.load(statement(*part), mode="add")
    assert desk.table("@bank") == desk.table("@whole")
    desk.load(*(statement(*part) for part in reversed(parts)), mode="add")
    desk.load(statement(*whole))
    assert desk.table("@bank") == desk.table("@whole")
    desk.store.close()


@st.composite
def periods(draw):
    """A statement, and files that each hold all its rows of some days in a row; together they hold them all."""
    whole = draw(ROWS)
    cuts = draw(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=3))
    spans = draw(st.permutations([*((min(cut), max(cut)) for cut in cuts), (0, 2), (2, 5)]))
    parts = [[row for row in whole if DAYS[a] <= date.fromisoformat(row[:10]) <= DAYS[b]] for a, b in spans]
    return whole, [draw(st.permutations(part)) for part in parts if part]


@WORLD
@given(split=periods())
def test_overlapping_periods_in_any_order_are_never_asked_about_and_give_the_whole(tmp_path_factory, split):
    whole, parts = split
    desk = Desk(tmp_path_factory.mktemp("world") / "data")
    desk.load(statement(*whole), source="whole")
    for part in parts:
        desk.load(statement(*part))
    assert desk.table("@bank") == desk.table("@whole")
    before = desk.everything()
    again = desk.load(*(statement(*part) for part in parts))
    assert {one.outcome for one in again} == {"already_loaded"}
    assert desk.everything() == before
    desk.store.close()


class Ledger:
    """How a source must stand, by the plainest rules: sets of (row, how many equal ones came before it)."""

    def __init__(self, key):
        self.key = key
        self.versions = []  # of loads that count: (text, current rows after it)

    @property
    def current(self):
        return self.versions[-1][1] if self.versions else frozenset()

    def load(self, rows, mode):
        """Return (outcome, added, superseded) and take the load in."""
        if mode != "restate" and rows in [text for text, _ in self.versions]:
            return "already_loaded", 0, 0
        came = {(row, sorted(rows[:at]).count(row)) for at, row in enumerate(rows)}
        added = came - self.current
        days = sorted(row[:10] for row, _ in came)
        changed = {
            old for old in self.current if self.key and any(old[0][11:] == new[0][11:] and new in added for new in came)
        }
        lacking = {old for old in self.current - came - changed if days[0] <= old[0][:10] <= days[-1]}
        if lacking and mode == "plain":
            return "unsettled", len(added), 0
        gone = changed | (lacking if mode == "restate" else set())
        if not added and not gone:
            if rows in [text for text, _ in self.versions]:
                return "already_loaded", 0, 0
            self.versions.append((rows, self.current))
            return "nothing_new", 0, 0
        self.versions.append((rows, (self.current - gone) | came))
        return "loaded", len(added), len(gone)

    def undo(self):
        if self.versions:
            self.versions.pop()


LOADS = st.tuples(st.sampled_from(["plain", "restate", "add", "undo"]), st.lists(ROW, min_size=1, max_size=5))
KEYED = st.lists(
    st.builds(lambda day, key: f"{day},{key}", st.sampled_from(DAYS[:3]), st.sampled_from("abc")),
    min_size=1,
    max_size=3,
    unique_by=lambda row: row[11:],
)
KEYED_LOADS = st.tuples(st.sampled_from(["plain", "restate", "add", "undo"]), KEYED)


@WORLD
@given(loads=st.one_of(st.lists(LOADS, min_size=1, max_size=6), st.lists(KEYED_LOADS, min_size=2, max_size=6)))
@example(loads=[("plain", ["2024-01-01,a"]), ("plain", ["2024-01-02,a"]), ("restate", ["2024-01-01,a"])])
@example(loads=[("plain", ["2024-01-01,tea,3"] * 2), ("restate", ["2024-01-01,tea,3"]), ("undo", ["2024-01-01,tea,3"])])
def test_a_source_stands_as_the_plainest_rules_say_after_any_loads_and_undos(tmp_path_factory, loads):
    is_keyed = loads[0][1][0].count(",") == 1
    header = "Date,Key" if is_keyed else "Date,Memo,Amount"
    desk = Desk(tmp_path_factory.mktemp("world") / "data")
    ledger = Ledger("Key" if is_keyed else None)
    for mode, rows in loads:
        if mode == "undo":
            if desk.store.sources.find_source("bank") is not None:
                desk.undo()
            ledger.undo()
        else:
            options = {"key": ("Key",)} if is_keyed else {}
            wanted = ledger.load(rows, mode)
            text = statement(*rows, header=header)
            try:
                done = desk.load_one(text, mode=mode, **options)
                found = (done.outcome, done.counts.added, done.counts.superseded)
            except RestatementUnsettled:
                found = ("unsettled", wanted[1], 0)
            assert found == wanted
        if ledger.versions:
            assert Counter(desk.rows()) == Counter(row for row, _ in ledger.current)
    loaded = [text for text, _ in ledger.versions]
    if loaded:
        before = desk.table()
        again = desk.load(*(statement(*rows, header=header) for rows in loaded))
        assert {one.outcome for one in again} == {"already_loaded"}
        assert desk.table() == before
        total = desk.store.sources.get_source("bank").standing()
        assert len(before[1]) == sum(one.counts.added - one.counts.superseded for one in total)
    desk.store.close()
