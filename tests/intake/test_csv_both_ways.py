"""What DuckDB reads fast and what the careful reader reads is the same, on whatever table in whatever dialect."""

import csv
import io
import random
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from tests.intake.tables import fast_rows, places_of, rejected_of, rows_of, save
from tieout.core.errors import TieoutError
from tieout.intake.csv_careful import locate_rows, read_csv_carefully
from tieout.intake.csv_columns import columns_of
from tieout.intake.csv_dialect import CsvDialect, CsvHints, sniff
from tieout.intake.csv_records import Grammar, lines_of, parse

BOTH = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])

cells = st.one_of(
    st.text(alphabet="ab1 é\"',;\t|\n\r-.", max_size=6),
    st.from_regex(r"-?[0-9]{1,4}[.,][0-9]{2}", fullmatch=True),
    st.dates().map(str),
    st.sampled_from(["", " ", '"', '""', "\n", "a\r\nb", "é\u2028\x85\x0b", "NULL", "\\", "x" * 300]),
)


@st.composite
def tables(draw):
    width = draw(st.integers(2, 5))
    rows = draw(st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=12))
    names = [f"name {'abcde'[i]}" for i in range(width)]
    return [names, *rows] if draw(st.booleans()) else rows


@st.composite
def written_tables(draw):
    """A table and the text of it that Python's csv module writes."""
    table = draw(tables())
    delimiter = draw(st.sampled_from(",;\t|"))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=newline, quoting=quoting).writerows(table)
    whole = text.getvalue()
    return table, delimiter, newline, whole if draw(st.booleans()) else whole.removesuffix(newline)


def read_both(text: str | bytes, hints: CsvHints | None = None):
    with TemporaryDirectory() as folder:
        path = save(Path(folder), text)
        dialect = sniff(path, hints)
        records = read_csv_carefully(path, dialect, Path(folder) / "out")
        careful = rows_of(records), rejected_of(records), places_of(records)
        try:
            fast = fast_rows(path, dialect) if dialect.is_plain else None
        except duckdb.InvalidInputException:
            fast = None
        located = locate_rows(path, dialect, range(1, records.row_count + 1)) if fast is not None else None
        return fast, careful, located


@BOTH
@given(written_tables())
def test_a_table_comes_out_the_same_both_ways(written):
    _, _, _, text = written
    assume(text.strip())
    fast, (rows, rejected, places), located = read_both(text)
    if fast is not None:
        assert fast == rows
        assert rejected == []
        assert {number: line for number, (line, _) in located.items()} == dict(places)


@BOTH
@given(st.text(alphabet='a1é,"\n \r;', max_size=60).map(lambda text: "name a,name b\n" + text))
@example('name a,name b\n1, "x"\n')
@example("name a,name b\r\n1,2\n3,4\r\n")
@example("name a,name b\n\n,\n1,2\n")
def test_any_text_comes_out_the_same_both_ways_where_duckdb_takes_it(text):
    fast, (rows, rejected, _), _ = read_both(text, CsvHints(delimiter=","))
    if fast is not None:
        assert fast == rows
        assert rejected == []


@BOTH
@given(written_tables())
def test_every_well_written_table_is_read_as_it_was_meant(written):
    """Given the dialect, the careful way returns the table itself, but for lines that hold delimiters only."""
    table, delimiter, newline, text = written
    assume(
        not any(cell.endswith("\r") or re.search(r"\r(?!\n)", cell) for row in table for cell in row)
    )  # unquoted by Python
    names = tuple(f"column_{i}" for i in range(1, len(table[0]) + 1))
    dialect = CsvDialect("utf-8", delimiter, '"', "", newline, names, None, 0)
    with TemporaryDirectory() as folder:
        records = read_csv_carefully(save(Path(folder), text), dialect, Path(folder) / "out")
        assert rejected_of(records) == []
        meant = [tuple(cell or None for cell in row) for row in table]
        assert [row for row in rows_of(records) if any(row)] == [row for row in meant if any(row)]


@BOTH
@given(st.text(alphabet='a1é,"\n \r', max_size=40), st.integers(2, 3), st.sampled_from(["", "\n"]))
@example('"a"b,c', 2, "\n")
@example('"",""x', 2, "")
@example('","1,', 2, "")
@example('a,"b', 2, "\n")
@example('"a""b","c""d"', 2, "\n")
@example('a,"b\nc",d', 2, "")
def test_lines_read_by_columns_are_those_read_by_rows(text, width, end):
    grammar = Grammar(",")
    lines = lines_of(text + end, "\n")
    columns = columns_of(lines, grammar, width)
    if columns is not None:
        by_rows = parse(lines, 1, grammar, is_last=True)
        assert by_rows.lines == list(range(1, len(lines) + 1))
        found = [list(row) for row in zip(*(column.to_pylist() for column in columns), strict=True)]
        assert found == [[cell or None for cell in row] for row in by_rows.rows]


def test_well_quoted_lines_are_read_by_columns():
    lines = ['"a","b, c",""\r\n', '1,"say ""yes""",\r\n', "x,y,z\r\n"]
    columns = columns_of(lines, Grammar(","), 3)
    assert [column.to_pylist() for column in columns] == [
        ["a", "1", "x"],
        ["b, c", 'say "yes"', "y"],
        [None, None, "z"],
    ]
    assert columns_of(lines, Grammar(","), 4) is None


@BOTH
@given(written_tables(), st.randoms(use_true_random=False))
def test_nothing_is_lost_of_a_damaged_file(written, rnd: random.Random):
    """Marks strewn over a damaged file are each found again: in a row, in a refused one, or above the table."""
    _, delimiter, newline, text = written
    lines = [f"mark{i}end{delimiter}{line}" for i, line in enumerate(text.split(newline)) if line]
    assume(lines)
    damaged = bytearray(newline.join(lines).encode())
    for _ in range(rnd.randint(0, 4)):
        at = rnd.randrange(len(damaged) + 1)
        damaged[at:at] = rnd.choice([b'"', b"\0", b"\xff", delimiter.encode(), b"\n", b"\r", b" ", b'"\n'])
    marks = {f"mark{i}end" for i in range(len(lines)) if f"mark{i}end".encode() in damaged}
    with TemporaryDirectory() as folder:
        path = save(Path(folder), bytes(damaged))
        try:
            dialect = sniff(path)
        except TieoutError:
            return
        records = read_csv_carefully(path, dialect, Path(folder) / "out")
        above = (
            path.read_bytes().decode("latin-1").replace("\r\n", "\n").split("\r" if dialect.newline == "\r" else "\n")
        )
        found = "".join(above[: dialect.skip_lines])
        found += "".join(cell or "" for row in rows_of(records) for cell in row)
        found += "".join(row["raw"] for row in rejected_of(records))
        assert {mark for mark in marks if mark not in found} == set()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_rows_keep_the_order_of_the_file_over_many_buffers_and_quoted_line_ends(tmp_path, newline):
    rnd = random.Random(7)
    wanted = []
    for number in range(60_000):
        text = newline.join("ab, c" for _ in range(rnd.randint(1, 6))) if rnd.random() < 0.4 else "plain"
        wanted.append((str(number), text))
    path = tmp_path / "file.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator=newline)
        writer.writerow(["number", "text"])
        writer.writerows(wanted)
    dialect = sniff(path)
    assert dialect.is_plain
    assert fast_rows(path, dialect, buffer_size=8 << 20, parallel=True) == wanted
    assert rows_of(read_csv_carefully(path, dialect, tmp_path / "out")) == wanted


def test_the_grammar_of_a_dialect_is_what_the_sniffer_found(tmp_path):
    dialect = sniff(save(tmp_path, "a;b\r\n'x;y';2\r\n"))
    assert dialect.grammar == Grammar(";", "'", "", "\n")
