import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.intake.tables import places_of, reasons_of, rejected_of, rows_of, save
from tieout.intake import json_rows
from tieout.intake.formats import FileIsDamaged, FileIsEmpty, NoTableFound
from tieout.intake.json_rows import DocumentTooLarge, RecordsAreAmbiguous, UnknownRecords, read_json
from tieout.intake.records import Records
from tieout.intake.records_file import TooManyColumns, TooManyRows

NAUGHTY = Path(__file__).parent / "data/naughty/blns.json"


def read(folder: Path, content: object, records: str | None = None, **options) -> Records:
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    return read_json(save(folder, text, "upload.json"), folder / "out", records, **options)


def read_lines(folder: Path, content: str | bytes, **options) -> Records:
    return read(folder, content, file_format="ndjson", **options)


def test_numbers_keep_every_digit(tmp_path):
    big = "123456789012345678901234567890"
    content = f'[{{"a": 0.10, "b": 1E3, "c": -0.0, "d": {big}, "e": 12345678901.123456789, "f": "007"}}]'
    records = read(tmp_path, content)
    assert records.columns == ("a", "b", "c", "d", "e", "f")
    assert rows_of(records) == [("0.10", "1E3", "-0.0", big, "12345678901.123456789", "007")]


def test_nested_objects_become_columns_and_lists_their_text(tmp_path):
    content = (
        '[{"id": 1, "amount": {"value": 5.0, "currency": {"code": "EUR"}}, "tags": [1.50, {"k": null}, "é"], "x": {}}]'
    )
    records = read(tmp_path, content)
    assert records.columns == ("id", "amount.value", "amount.currency.code", "tags", "x")
    assert rows_of(records) == [("1", "5.0", "EUR", '[1.50, {"k": null}, "é"]', "{}")]


def test_records_need_not_have_the_same_fields(tmp_path):
    records = read(tmp_path, [{"a": True, "b": None}, {"c": "x", "a": False}, {}])
    assert records.columns == ("a", "b", "c")
    assert rows_of(records) == [("true", None, None), ("false", None, "x"), (None, None, None)]
    assert places_of(records) == [(1, 1), (2, 1), (3, 1)]


def test_fields_that_come_late_in_a_large_file_are_columns_of_all_rows(tmp_path):
    lines = [f'{{"id": {i}}}' for i in range(60_000)] + ['{"id": -1, "late": "x"}']
    records = read_lines(tmp_path, "\n".join(lines))
    rows = rows_of(records)
    assert records.columns == ("id", "late")
    assert (rows[0], rows[59_999], rows[-1]) == (("0", None), ("59999", None), ("-1", "x"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["rows.parquet"]


def test_names_that_differ_in_case_only_get_columns_of_their_own(tmp_path):
    records = read(tmp_path, [{"Amount": 1, "amount": 2, "__row_no": 3, "": 4}])
    assert records.columns == ("Amount", "amount_2", "__row_no_2", "column_4")
    assert rows_of(records) == [("1", "2", "3", "4")]
    assert "'amount' to 'amount_2'" in records.notes[0]


def test_lines_that_are_no_records_are_set_apart(tmp_path):
    content = (
        b'{"a": 1}\n\n{"a": 2\nplain\n[1]\n{"a": 3, "a": 4}\n'
        b'{"a": "\xff"}\n{"a": "\x00"}\n{"a": "\\ud800"}\n{"a": "\\u0000"}\n'
        b'{"a": {"b": 1}, "a.b": 2}\n' + b'{"a":' * 5000 + b"\n" + b'{"a": 5}'
    )
    records = read_lines(tmp_path, content)
    assert rows_of(records) == [("1", None), ("5", None)]
    assert places_of(records) == [(1, 1), (12, 13)]
    assert reasons_of(records) == [
        (2, 3, "bad_json"),
        (3, 4, "bad_json"),
        (4, 5, "not_an_object"),
        (5, 6, "repeated_key"),
        (6, 7, "wrong_encoding"),
        (7, 8, "nul_byte"),
        (8, 9, "wrong_encoding"),
        (9, 10, "nul_byte"),
        (10, 11, "repeated_key"),
        (11, 12, "too_deep"),
    ]
    assert rejected_of(records)[0]["raw"] == '{"a": 2'
    assert rejected_of(records)[5]["raw"] == '{"a": "\\x00"}'


def test_a_line_beyond_the_limit_is_refused(tmp_path):
    big = "x" * (json_rows.MAX_RECORD_BYTES + 10)
    records = read_lines(tmp_path, f'{{"a": 1}}\n{{"a": "{big}"}}\n{{"a": 2}}\n')
    assert reasons_of(records) == [(2, 2, "line_too_long")]
    assert len(rejected_of(records)[0]["raw"]) == 1000


def test_the_list_within_an_object_is_found_and_named(tmp_path):
    content = {"meta": {"pages": 1}, "data": {"payments": [{"id": 1}, {"id": 2}]}, "next": None}
    records = read(tmp_path, content)
    assert rows_of(records) == [("1",), ("2",)]
    assert records.notes == ("The 2 records are those of 'data.payments'.",)


def test_a_list_that_clearly_outnumbers_the_others_is_the_one_meant(tmp_path):
    orders = [{"id": i} for i in range(20)]
    records = read(tmp_path, {"stores": [{"s": 1}] * 5, "orders": orders})
    assert records.row_count == 20
    assert "Other lists were not read: 'stores' (--records takes another)." in records.notes
    with pytest.raises(RecordsAreAmbiguous, match=r"--records orders \(20\), --records stores \(6\)"):
        read(tmp_path, {"stores": [{"s": 1}] * 6, "orders": orders})


def test_a_path_chooses_the_list(tmp_path):
    content = {"a": {"b.c": [{"id": 1}]}, "d": [{"id": 2}], "e": {"x": 5}}
    assert rows_of(read(tmp_path, content, "a.b.c")) == [("1",)]
    assert rows_of(read(tmp_path, content, "d")) == [("2",)]
    for path in ("d.x", "e", "nowhere", ""):
        with pytest.raises(UnknownRecords, match="--records a.b.c"):
            read(tmp_path, content, path)
    with pytest.raises(UnknownRecords, match="plain list"):
        read(tmp_path, [{"id": 1}], "a")


def test_one_object_is_one_record(tmp_path):
    records = read(tmp_path, '{"id": 7, "amount": 5.0}')
    assert rows_of(records) == [("7", "5.0")]
    assert "one object" in records.notes[0]


def test_objects_one_after_another_are_lines_even_if_the_name_says_otherwise(tmp_path):
    for content in ('{"a": 1}\n{"a": 2}\n', '{"a": 1\n{"a": 2}\n', '{"a": 0}\n{"a": 1}\n{"a"'):
        records = read_lines(tmp_path, content)
        assert records.format == "ndjson"
    assert read(tmp_path, '{"a": 1}\n{"a": 2}\n').format == "ndjson"
    assert reasons_of(read(tmp_path, '{"a": 1}\n{"a": 2\n')) == [(2, 2, "bad_json")]


@pytest.mark.parametrize(
    "content", ["[]", "[1, 2]", '{"a": {"b": 1}}', '{"a": []}', '"text"', "5", "{}", "[[1, 2], [3, 4]]"]
)
def test_json_without_records_is_refused(tmp_path, content):
    with pytest.raises(NoTableFound, match=r"upload\.json"):
        read(tmp_path, content)
    assert list(tmp_path.glob("out/*")) == []


def test_elements_that_are_no_objects_are_set_apart(tmp_path):
    records = read(tmp_path, '[{"a": 1}, 5.50, null, {"a": 2}]')
    assert rows_of(records) == [("1",), ("2",)]
    assert [(row["row_no"], row["reason_code"], row["raw"]) for row in rejected_of(records)] == [
        (2, "not_an_object", "5.50"),
        (3, "not_an_object", "null"),
    ]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ('[{"a": 1},\n{"a": 2', "line 2"),
        ('[{"a": 1},\n', "breaks off"),
        ('[{"a": 1}\n{"a": 2}]', r"comma.*line 2"),
        ('[{"a": 1}] x', "text follows"),
        ("[{'a': 1}]", "property name"),
        ('[{"a": 1, "a": 2}]', "'a' occurs twice"),
        ("not json", "value"),
        ('{"a": [1, 2}', "delimiter"),
        (b'[{"a": "\xff"}]', "no utf-8 text"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ('[{"a": ' + "[" * 100_000 + "]" * 100_000 + "}]", "nested too deeply"),
    ],
)
def test_a_broken_document_is_refused_whole_with_the_place(tmp_path, content, what):
    with pytest.raises(FileIsDamaged, match=what):
        read(tmp_path, content)
    assert list(tmp_path.glob("out/*")) == []


def test_an_empty_document_is_said_to_be_empty(tmp_path):
    with pytest.raises(FileIsEmpty, match=r"upload\.json"):
        read(tmp_path, " \n ")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_json_in_other_unicode_is_read(tmp_path, encoding):
    assert rows_of(read(tmp_path, '[{"a": "é€"}]'.encode(encoding))) == [("é€",)]
    assert rows_of(read_lines(tmp_path, '{"a": "é€"}\n{"a": 2}'.encode(encoding))) == [("é€",), ("2",)]


def test_a_large_list_is_read_piece_by_piece_and_a_large_object_refused(tmp_path, monkeypatch):
    path = save(
        tmp_path, "[" + ",\n".join(f'{{"id": {i}, "text": "{"é" * 40}"}}' for i in range(60_000)) + "]", "a.json"
    )
    calls = []
    records = read_json(path, tmp_path / "out", on_progress=lambda done, total: calls.append((done, total)))
    assert [row[0] for row in rows_of(records)] == [str(i) for i in range(60_000)]
    assert len(calls) > 3
    assert calls[-1] == (path.stat().st_size, path.stat().st_size)
    monkeypatch.setattr(json_rows, "MAX_DOCUMENT_BYTES", 1 << 20)
    wrapped = save(tmp_path, f'{{"rows": {path.read_text(encoding="utf-8")}}}', "b.json")
    with pytest.raises(DocumentTooLarge, match="NDJSON"):
        read_json(wrapped, tmp_path / "out")


def test_records_with_nothing_in_common_are_refused(tmp_path):
    with pytest.raises(TooManyColumns):
        read(tmp_path, [{f"field {i}": 1} for i in range(5000)])


def test_too_many_records_are_refused(tmp_path):
    with pytest.raises(TooManyRows):
        read(tmp_path, [{"a": 1}] * 3, max_rows=2)
    with pytest.raises(TooManyRows):
        read_lines(tmp_path, '{"a": 1}\n{"a": 1}\nx\n', max_rows=2)
    assert read(tmp_path, [{"a": 1}] * 2, max_rows=2).row_count == 2


def test_naughty_strings_survive(tmp_path):
    strings = json.loads(NAUGHTY.read_text(encoding="utf-8"))
    records = read(tmp_path, [{"n": i, "s": text} for i, text in enumerate(strings)])
    assert rows_of(records) == [(str(i), text or None) for i, text in enumerate(strings)]
    lines = "\n".join(json.dumps({"n": i, "s": text}) for i, text in enumerate(strings))
    assert rows_of(read_lines(tmp_path, lines)) == rows_of(records)


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.decimals(allow_nan=False, allow_infinity=False), st.text()
)
fields = st.dictionaries(st.sampled_from("abcde"), values, min_size=1)


@settings(max_examples=150, deadline=None)
@given(st.lists(fields, min_size=1, max_size=8), st.booleans())
def test_list_and_lines_give_the_same_rows(tmp_path_factory, rows, has_spaces):
    folder = tmp_path_factory.mktemp("json")
    texts = ["{" + ", ".join(f'"{key}": {_json(value)}' for key, value in row.items()) + "}" for row in rows]
    as_list = read(folder, f"[{(' ,' if has_spaces else ',').join(texts)}]")
    as_lines = read_lines(folder, "\n".join(texts))
    assert as_list.columns == as_lines.columns
    expected = [tuple(_text(row.get(column)) for column in as_list.columns) for row in rows]
    refused = [i for i, row in enumerate(rows) if any("\0" in str(value) for value in row.values())]
    expected = [row for i, row in enumerate(expected) if i not in refused]
    assert rows_of(as_list) == rows_of(as_lines) == expected


def _json(value):
    return json.dumps(value) if value is None or isinstance(value, str | bool) else str(value)


def _text(value):
    if value is None or value == "":
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize(
    ("content", "path", "lines"),
    [
        ('[\n {"a": 1},\n\n {"a":\n  2}, {"a": 3}\n,{"a": "x\\ny"}\n]', None, [2, 4, 5, 6]),
        ('\n{"b": {"c": [9],\n "d.e" : [{"a": 1},\n{"a": 2}\n,\n  {"a": 3} ]}, "z": 1}\n', None, [3, 4, 6]),
        ('\n{"b": {"c": [9],\n "d.e" : [{"a": 1},\n{"a": 2}\n,\n  {"a": 3} ]}, "z": 1}\n', "b.d.e", [3, 4, 6]),
        ('\n\n{"a": 1}', None, [3]),
    ],
)
def test_each_record_has_the_line_on_which_it_starts(tmp_path, content, path, lines):
    assert places_of(read(tmp_path, content, path)) == list(enumerate(lines, start=1))


@given(
    rows=st.lists(st.integers() | st.text('a"\\\n,{}[]:', max_size=5), min_size=1, max_size=12),
    is_list=st.booleans(),
    data=st.data(),
)
@settings(max_examples=200, deadline=None)
def test_lines_of_records_are_those_of_the_text(tmp_path_factory, rows, is_list, data):
    space = st.text(" \n\r\t", max_size=4)
    text = data.draw(space)
    if not is_list:
        text += '{"x": [{}], "records"' + data.draw(space) + ":" + data.draw(space)
    lines = []
    for i, row in enumerate(rows):
        text += ("," if i else "[") + data.draw(space)
        lines.append(text.count("\n") + 1)
        text += '{"v":' + data.draw(space) + json.dumps(row) + "}" + data.draw(space)
    text += "]" + data.draw(space) + ("" if is_list else "}")
    records = read(tmp_path_factory.mktemp("lines"), text, None if is_list else "records")
    assert [line for _, line in places_of(records)] == lines
