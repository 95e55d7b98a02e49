import duckdb
import pytest

from tieout.intake.sources.days import (
    DatesAmbiguous,
    DatesDoNotFit,
    DayColumn,
    DayWish,
    SourceColumnMissing,
    day_expression,
    find_days,
    text_expression,
)
from tieout.intake.sources.steps import Steps
from tieout.store.trees import column, sql_of


@pytest.fixture
def steps(tmp_path):
    with duckdb.connect() as con:
        opened = Steps(con, tmp_path)
        opened.define_macros()
        yield opened


def found(steps, cells, *, name="Date", said=None, written=None, settled=None):
    """Return the column and format that were found, and the days of its cells."""
    steps.con.execute("create or replace table given as select unnest(?::varchar[]) as cell", [cells])
    quoted = name.replace('"', '""')
    steps.con.execute(f"create or replace view staged_cell as select cell as \"{quoted}\", 'x' as Memo from given")
    day = find_days(steps, [name, "Memo"], DayWish(said, written, settled), "file.csv")
    if day is None:
        return None
    expression = day_expression(text_expression(column(day.name), day.format), day.format)
    days = steps.con.sql(f"select {sql_of(expression)}::varchar from staged_cell").fetchall()
    return day.name, day.format, [text for (text,) in days]


@pytest.mark.parametrize(
    ("cells", "written", "days"),
    [
        (["2024-01-02", "2024/1/31"], "ISO", ["2024-01-02", "2024-01-31"]),
        (["2024-01-02T23:59:59-08:00", "2024-01-02Z"], "ISO", ["2024-01-02", "2024-01-02"]),
        (["2024-01-02 23:59", "2024-01-03+01:00"], "ISO", ["2024-01-02", "2024-01-03"]),
        (["2 Jan 2024", "31-Dec-23", "Jan 3, 2024"], "ISO", ["2024-01-02", "2023-12-31", "2024-01-03"]),
        (["2 January 2024", "Mon, 01 Jan 2024", "3/Feb/24"], "ISO", ["2024-01-02", "2024-01-01", "2024-02-03"]),
        (["20240102", "20240131"], "ISO", ["2024-01-02", "2024-01-31"]),
        (["02.01.2024", "03.01.24"], "DMY", ["2024-01-02", "2024-01-03"]),
        (["31/12/2024", "01/12/2024"], "DMY", ["2024-12-31", "2024-12-01"]),
        (["12/31/2024 11:05 PM", "12/01/2024"], "MDY", ["2024-12-31", "2024-12-01"]),
        (["31.01.2024", "31.02.2024", "30.01.2024"], "DMY", ["2024-01-31", None, "2024-01-30"]),
        (["2024-01-02", None, "-", "n/a"], "ISO", ["2024-01-02", None, None, None]),
    ],
)  # fmt: skip
def test_days_are_read_as_they_are_written_decided_by_the_whole_column(steps, cells, written, days):
    assert found(steps, cells) == ("Date", written, days)


def test_a_column_that_can_be_read_day_first_or_month_first_is_asked_about(steps):
    with pytest.raises(DatesAmbiguous, match="DMY or MDY"):
        found(steps, ["01/02/2024", "03/04/2024"])
    assert found(steps, ["01/01/2024", "02/02/2024"]) == ("Date", "DMY", ["2024-01-01", "2024-02-02"])
    assert found(steps, ["01/02/2024"], written="mdy") == ("Date", "MDY", ["2024-01-02"])


def test_what_earlier_files_settled_decides_where_a_file_leaves_it_open(steps):
    settled = DayColumn("Date", "MDY")
    assert found(steps, ["01/02/2024"], settled=settled) == ("Date", "MDY", ["2024-01-02"])
    assert found(steps, ["2024-01-02"], settled=settled) == ("Date", "MDY", ["2024-01-02"])


def test_a_file_that_contradicts_the_earlier_ones_is_refused_and_not_read_another_way(steps):
    with pytest.raises(DatesDoNotFit, match="0 are days in MDY; DMY reads 1"):
        found(steps, ["31/01/2024"], settled=DayColumn("Date", "MDY"))
    with pytest.raises(DatesDoNotFit):
        found(steps, ["2024-01-31"] * 9, settled=DayColumn("Date", "%d.%m.%Y"))


@pytest.mark.parametrize("year", ["24", "0024", "202"])
def test_a_year_is_never_one_before_the_year_1000(steps, year):
    answer = found(steps, [f"02.01.{year}", "02.01.2024", "31.01.2024"], written="DMY")
    assert answer[2][1:] == ["2024-01-02", "2024-01-31"]
    assert answer[2][0] == ("2024-01-02" if year == "24" else None)


def test_a_pattern_of_the_user_is_taken_at_its_word(steps):
    assert found(steps, ["240131", "240201"], written="%y%m%d")[2] == ["2024-01-31", "2024-02-01"]
    assert found(steps, ["31.01.2024 at 12:30"], written="%d.%m.%Y at %H:%M")[2] == ["2024-01-31"]
    assert found(steps, ["12.31.2024"], written="MDY")[2] == ["2024-12-31"]
    assert found(steps, ["24/12/31"], written="YMD")[2] == ["2024-12-31"]


@pytest.mark.parametrize("written", ["%q", "day first", "%Y"])
def test_a_pattern_that_is_none_or_reads_nothing_is_refused(steps, written):
    with pytest.raises(DatesDoNotFit):
        found(steps, ["31.01.2024"], written=written, said="Date")


def test_digits_are_a_day_only_where_the_name_or_the_user_says_so(steps):
    assert found(steps, ["20240131", "20240201"], name="Number") is None
    assert found(steps, ["20240131"], name="Number", said="Number")[2] == ["2024-01-31"]


def test_numbers_and_names_are_no_days(steps):
    assert found(steps, ["1.5", "2.75"], name="Rate") is None
    assert found(steps, ["1234567890", "coffee"], name="Text") is None


def test_no_column_of_days_can_be_asked_for(steps):
    assert found(steps, ["2024-01-02"], said="-") is None


def test_a_column_that_is_named_and_not_there_is_an_error_that_lists_those_there_are(steps):
    with pytest.raises(SourceColumnMissing, match="no column 'Day'.*Date, Memo"):
        found(steps, ["2024-01-02"], said="Day")
    with pytest.raises(SourceColumnMissing, match="says the day in the files loaded before"):
        found(steps, ["2024-01-02"], settled=DayColumn("Booked", "ISO"))


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["value_date", "booking_date"], "booking_date"),
        (["Valuta", "Buchungstag"], "Buchungstag"),
        (["Due Date", "Date"], "Date"),
        (["createdAt", "Transaction Date"], "Transaction Date"),
        (["x", "value_date"], "value_date"),
        (["first", "second"], "first"),
    ],
)
def test_of_several_columns_of_days_the_one_that_says_when_it_was_booked_is_taken(steps, names, chosen):
    columns = ", ".join(f"'2024-01-0{n}' as \"{name}\"" for n, name in enumerate(names, start=1))
    steps.con.execute(f"create view staged_cell as select {columns}")
    assert find_days(steps, names, DayWish(None, None, None), "file.csv") == DayColumn(chosen, "ISO")


def test_days_far_down_the_file_decide_too(steps):
    cells = ["01/02/2024"] * 5000 + ["31/01/2024"]
    assert found(steps, cells)[1] == "DMY"
